import Base

/// A tensor whose fingerprint is computed while it is read from front to back.
package final class HashedTensor: TensorSource {
  package var info: TensorInfo { source.info }
  private let source: any TensorSource
  private let hasher: SHA256Hasher
  /// Bytes that were hashed.
  package private(set) var position = 0

  package init(_ source: any TensorSource) {
    self.source = source
    hasher = source.info.fingerprintHasher()
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try source.read(into: buffer, at: offset)
    if offset == position {
      hasher.update(UnsafeRawBufferPointer(buffer))
      position += buffer.count
    }
  }

  /// The fingerprint of the whole tensor. Reads what has not been read yet. Call it once.
  package func finish() throws -> ContentDigest {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { buffer.deallocate() }
    while position < info.byteCount {
      try read(
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, info.byteCount - position)]),
        at: position)
    }
    return hasher.finalize()
  }
}
