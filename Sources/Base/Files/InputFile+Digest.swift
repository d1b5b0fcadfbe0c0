extension InputFile {
  /// The SHA-256 of the whole file.
  package func digest() throws -> ContentDigest {
    let hasher = SHA256Hasher()
    var offset = 0
    while offset < size {
      let piece = try read(offset..<min(offset + 1 << 20, size))
      hasher.update(piece)
      offset += piece.count
    }
    return hasher.finalize()
  }
}
