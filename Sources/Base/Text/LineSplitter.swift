/// Splits a text that arrives in pieces into lines. The text may have any size.
package struct LineSplitter {
  private let limit: Int
  private let path: String
  private var line: [UInt8] = []
  private var number = 1

  /// - Parameters:
  ///   - limit: maximum length of a line, in bytes.
  ///   - path: the file, for errors.
  package init(limit: Int, path: String) {
    self.limit = limit
    self.path = path
  }

  /// Calls `body` with each line that ends in the piece, without its line feed, and its number, from 1 on.
  /// - Throws: `invalid` for a line that is too long.
  package mutating func add(_ piece: [UInt8], _ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    var rest = piece[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      try append(rest[..<end])
      try body(number, line)
      line.removeAll(keepingCapacity: true)
      number += 1
      rest = rest[(end + 1)...]
    }
    try append(rest)
  }

  /// Calls `body` with the last line, if no line feed ends it.
  package mutating func end(_ body: (_ number: Int, _ line: [UInt8]) throws -> Void) throws {
    if !line.isEmpty { try body(number, line) }
    line = []
  }

  private mutating func append(_ bytes: ArraySlice<UInt8>) throws {
    guard line.count + bytes.count <= limit else {
      throw VPatchError(.invalid, path, "has more than \(limit) bytes in line \(number)")
    }
    line += bytes
  }
}
