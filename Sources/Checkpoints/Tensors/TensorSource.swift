import Base

/// The bytes of one tensor: from a file, or from a file with patches applied.
///
/// Sequential reads are cheap. Reads at other places may decode a chunk again.
package protocol TensorSource: AnyObject {
  var info: TensorInfo { get }
  /// Fills `buffer` with the bytes from `offset` on.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

extension TensorSource {
  /// Calls `body` with the tensor's bytes in pieces, front to back.
  package func forEachPiece(
    of size: Int = TensorPiece.size, _ body: (_ offset: Int, _ bytes: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(min(size, info.byteCount), 1), alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < info.byteCount {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(size, info.byteCount - offset)])
      try read(into: piece, at: offset)
      try body(offset, UnsafeRawBufferPointer(piece))
      offset += piece.count
    }
  }

  /// All bytes of a tensor that fits into memory.
  package func bytes() throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: info.byteCount) { buffer, count in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
      count = info.byteCount
    }
  }

  /// The tensor's fingerprint (spec, section 2). Reads all its bytes.
  package func fingerprint() throws -> ContentDigest {
    let hasher = info.fingerprintHasher()
    try forEachPiece(of: 1 << 18) { _, bytes in hasher.update(bytes) }
    return hasher.finalize()
  }
}

package enum TensorPiece {
  /// Bytes of a tensor that are in memory at a time: small enough for a processor's cache.
  package static let size = 1 << 20
}
