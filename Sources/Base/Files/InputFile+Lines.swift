extension InputFile {
  /// Calls `body` with each line, without its line feed, and its number, from 1 on. The file may have any size.
  /// - Parameter limit: maximum length of a line, in bytes.
  /// - Throws: `invalid` for a longer line; `io` where the file was changed meanwhile.
  package func forEachLine(limit: Int, _ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    var splitter = LineSplitter(limit: limit, path: path)
    try forEachPiece { try splitter.add($0, body) }
    try splitter.end(body)
    try requireUnchanged()
  }

  /// Calls `body` with all bytes, in pieces.
  package func forEachPiece(_ body: (_ piece: [UInt8]) throws -> Void) throws {
    var offset = 0
    while offset < size {
      let piece = try read(offset..<min(offset + 1 << 20, size))
      offset += piece.count
      try body(piece)
    }
  }
}
