extension InputFile {
  /// Calls `body` with each line, without its line feed, and the line's number from 1 on; the file may be of any size.
  /// - Parameter limit: how long a line may be, in bytes.
  /// - Throws: `invalid` for a longer one; `io` where somebody wrote to the file meanwhile.
  package func forEachLine(limit: Int, _ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    var splitter = LineSplitter(limit: limit, path: path)
    try forEachPiece { try splitter.add($0, body) }
    try splitter.end(body)
    try requireUnchanged()
  }

  /// Calls `body` with all bytes, a piece at a time.
  package func forEachPiece(_ body: (_ piece: [UInt8]) throws -> Void) throws {
    var offset = 0
    while offset < size {
      let piece = try read(offset..<min(offset + 1 << 20, size))
      offset += piece.count
      try body(piece)
    }
  }
}
