import CKernels
import Checkpoints
import PatchFormat

/// A tensor before and after, read side by side.
struct TensorPair {
  private let base: any TensorSource
  private let tuned: any TensorSource
  private let type: vp_float
  private let width: Int
  private let kernels: vp_merge_kernels

  init(_ base: any TensorSource, _ tuned: any TensorSource, _ kernel: Kernel) {
    self.base = base
    self.tuned = tuned
    type = base.info.dtype.kernelType!
    width = base.info.dtype.element.width
    kernels = kernel.merging
  }

  /// Of the magnitudes that begin with `prefix`: how many have each value of the next digits, how many there are, and
  /// the union of their lower bits.
  package func counts(
    _ shift: UInt32, _ digits: UInt32, _ prefix: UInt64
  ) throws -> (counts: [UInt64], total: UInt64, low: UInt64) {
    var counts = [UInt64](repeating: 0, count: 1 << Int(digits) + VP_MERGE_SPARE)
    var (total, low) = (UInt64(0), UInt64(0))
    try forEachPiece { _, a, b in
      total += kernels.count(type, a.baseAddress, b.baseAddress, a.count / width, shift, digits, prefix, &counts, &low)
      return true
    }
    counts.removeLast(VP_MERGE_SPARE)
    return (counts, total, low)
  }

  /// The index after the element that is the `count`th with that magnitude.
  package func end(of count: UInt64, _ magnitude: UInt64) throws -> Int {
    var left = count
    var end = 0
    try forEachPiece { offset, a, b in
      end = offset / width + kernels.find(type, a.baseAddress, b.baseAddress, a.count / width, magnitude, &left)
      return left > 0
    }
    return end
  }

  /// The sums of squares of both, and of their products.
  package func dots() throws -> (first: Double, second: Double, both: Double) {
    var lanes = [Double](repeating: 0, count: 24)
    try forEachPiece { _, a, b in
      kernels.dots(type, a.baseAddress, b.baseAddress, a.count / width, &lanes)
      return true
    }
    func total(_ first: Int) -> Double {
      let l = Array(lanes[first..<first + 8])
      return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }
    return (total(0), total(8), total(16))
  }

  /// - Parameter body: returns whether to continue.
  private func forEachPiece(
    _ body: (_ offset: Int, _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) throws -> Bool
  ) throws {
    let size = min(TensorPiece.size, base.info.byteCount)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * max(size, 64), alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    var goesOn = true
    while offset < base.info.byteCount, goesOn {
      let n = min(size, base.info.byteCount - offset)
      let a = UnsafeMutableRawBufferPointer(rebasing: buffer[..<n])
      let b = UnsafeMutableRawBufferPointer(rebasing: buffer[buffer.count / 2..<buffer.count / 2 + n])
      try base.read(into: a, at: offset)
      try tuned.read(into: b, at: offset)
      goesOn = try body(offset, UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b))
      offset += n
    }
  }
}
