extension InputFile {
  /// The SHA-256 of all its bytes.
  public func digest() throws -> Digest {
    let hasher = SHA256()
    var offset = 0
    while offset < size {
      let piece = try read(offset..<min(offset + 1 << 20, size))
      hasher.update(piece)
      offset += piece.count
    }
    return hasher.finalize()
  }
}
