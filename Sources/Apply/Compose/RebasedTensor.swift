import CKernels
import Checkpoints
import PatchFormat

/// A tensor of another base with a patch's differences added (spec/stacks.md, section 8).
final class RebasedTensor: TensorSource {
  package let info: TensorInfo
  private let new: any TensorSource
  private let old: any TensorSource
  private let tuned: any TensorSource
  private let width: Int
  private let kernels = Kernel.chosen.merging
  /// Whether `notFinite` is counted.
  var isCounting = false
  /// Elements read so far that are infinite or NaN although their inputs are finite.
  package private(set) var notFinite = 0

  init(new: any TensorSource, old: any TensorSource, tuned: any TensorSource) {
    info = new.info
    self.new = new
    self.old = old
    self.tuned = tuned
    width = info.dtype.element.width
  }

  /// - Parameter offset: a multiple of the element size, as all reads of a tensor have.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    precondition(offset % width == 0 && buffer.count % width == 0)
    let pieces = (0..<3).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count, alignment: 64) }
    defer { for piece in pieces { piece.deallocate() } }
    for (source, piece) in zip([new, old, tuned], pieces) { try source.read(into: piece, at: offset) }
    kernels.rebase(
      info.dtype.kernelType!, pieces[0].baseAddress, pieces[1].baseAddress, pieces[2].baseAddress, buffer.baseAddress,
      buffer.count / width)
    if isCounting {
      notFinite += kernels.notFinite(
        info.dtype.kernelType!, in: buffer, madeOf: pieces.map { UnsafeRawPointer($0.baseAddress!) }, width)
    }
  }
}
