extension InputFile {
  /// Calls `body` with each line, without its line feed, and the line's number from 1 on; the file may be of any size.
  /// - Parameter limit: how long a line may be, in bytes.
  /// - Throws: `invalid` for a longer one; `io` where somebody wrote to the file meanwhile.
  public func forEachLine(limit: Int, _ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    var number = 1
    var line: [UInt8] = []
    var offset = 0
    while offset < size {
      let piece = try read(offset..<min(offset + 1 << 20, size))
      offset += piece.count
      var rest = piece[...]
      while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        try append(rest[..<end], to: &line, number, limit)
        try body(number, line)
        line.removeAll(keepingCapacity: true)
        number += 1
        rest = rest[(end + 1)...]
      }
      try append(rest, to: &line, number, limit)
    }
    if !line.isEmpty { try body(number, line) }
    try requireUnchanged()
  }

  private func append(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8], _ number: Int, _ limit: Int) throws {
    guard line.count + bytes.count <= limit else {
      throw VPatchError(.invalid, path, "has more than \(limit) bytes in line \(number)")
    }
    line += bytes
  }
}
