import Base
import Checkpoints

/// A tensor of the adapter that a patch was made with: a factor of a change, or one that is only kept for export (spec,
/// section 3.5).
package struct AdapterTensor: Hashable, Sendable {
  package let tensor: FingerprintedTensor
  package let chunks: [Chunk]

  package init(tensor: FingerprintedTensor, chunks: [Chunk]) {
    self.tensor = tensor
    self.chunks = chunks
  }

  package var name: String { tensor.info.name }
  package var storedBytes: Int { chunks.reduce(0) { $0 + $1.stored } }

  /// A stored chunk has at least one byte for so many decoded ones. Together with the limits on ranks this bounds the
  /// work that a stored byte can cause.
  static let mostDecodedPerStored = 64
}

extension Patch {
  /// Calls `body` with the bytes of an adapter's tensor, chunk by chunk.
  /// - Throws: `invalid` for chunks that do not decode, and after the last one for bytes that are not those that the
  ///   header promises.
  package func forEachChunk(of tensor: AdapterTensor, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let info = tensor.tensor.info
    let hasher = info.fingerprintHasher()
    for chunk in tensor.chunks {
      let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.stored, alignment: 64)
      let decoded = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.decoded, alignment: 64)
      defer {
        stored.deallocate()
        decoded.deallocate()
      }
      do {
        try ChunkCoder.decodeContent(try read(chunk, into: stored), into: decoded, format: info.dtype.element)
      } catch let error as ChunkError {
        throw VPatchError(
          .invalid, label, "has a chunk of the adapter's \"\(tensor.name.printable)\" that \(error.reason)")
      }
      hasher.update(UnsafeRawBufferPointer(decoded))
      try body(UnsafeRawBufferPointer(decoded))
    }
    guard hasher.finalize() == tensor.tensor.fingerprint else {
      throw VPatchError(
        .invalid, label, "has a tensor of its adapter, \"\(tensor.name.printable)\", that is not what was promised")
    }
  }

  /// The bytes of an adapter's tensor that fits into memory.
  /// - Throws: `invalid`, like `forEachChunk`.
  package func bytes(of tensor: AdapterTensor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tensor.tensor.info.byteCount)
    try forEachChunk(of: tensor) { bytes += $0 }
    return bytes
  }
}

extension AdapterTensor {
  /// A stored chunk of an adapter's tensor.
  package static func encoded(_ bytes: UnsafeRawBufferPointer, _ format: ElementFormat) -> [UInt8] {
    let stored = ChunkCoder.encodeContent(bytes, format: format)
    guard bytes.count <= stored.count * mostDecodedPerStored else { return [Coder.raw.rawValue] + bytes }
    return stored
  }
}
