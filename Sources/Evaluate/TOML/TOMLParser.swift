// The part of TOML 1.0 (toml.io) that suites use: keys with values, and [[arrays of tables]]. Values are strings of all
// four kinds, numbers, booleans, and arrays of these. Everything accepted here has the meaning that TOML gives it.
// Everything else is an error with its line, including TOML that no suite needs: dotted and quoted keys, [tables],
// {inline tables} and dates.

import Base

/// A key with its value and line.
struct TOMLMember: Equatable {
  let key: String
  let value: JSON
  /// From 1.
  let line: Int
}

/// A file: the keys above the first header, and the tables in order.
struct TOMLFile: Equatable {
  struct Table: Equatable {
    let name: String
    let line: Int
    var members: [TOMLMember] = []
  }

  var members: [TOMLMember] = []
  var tables: [Table] = []
}

/// A syntax error, or unsupported TOML, with its line.
struct TOMLError: Error, Equatable {
  let line: Int
  let reason: String
}

struct TOMLParser {
  let bytes: [UInt8]
  var position = 0
  var line = 1

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// - Throws: `TOMLError`.
  static func parse(_ text: String) throws -> TOMLFile {
    var parser = TOMLParser(Array(text.utf8))
    return try parser.file()
  }

  // MARK: Structure

  private mutating func file() throws -> TOMLFile {
    var file = TOMLFile()
    while true {
      try skipBlank()
      guard let next = peek else { return file }
      let line = self.line
      if next == UInt8(ascii: "[") {
        let name = try header()
        guard !file.members.contains(where: { $0.key == name }) else { throw error("\"\(name)\" is already a key") }
        file.tables.append(.init(name: name, line: line))
      } else {
        let member = TOMLMember(key: try key(), value: try valueBehindKey(), line: line)
        let others =
          file.tables.last?.members ?? file.members + file.tables.map { .init(key: $0.name, value: .null, line: 0) }
        guard !others.contains(where: { $0.key == member.key }) else {
          throw TOMLError(line: line, reason: "duplicate key \"\(member.key)\"")
        }
        if file.tables.isEmpty {
          file.members.append(member)
        } else {
          file.tables[file.tables.count - 1].members.append(member)
        }
      }
      try endLine()
    }
  }

  private mutating func header() throws -> String {
    guard take("[[") else { throw error("only [[tables]] with two brackets are supported") }
    skipSpace()
    let name = try key()
    skipSpace()
    guard take("]]") else { throw error("expected \"]]\"") }
    return name
  }

  private mutating func key() throws -> String {
    let start = position
    while let c = peek, isKey(c) { position += 1 }
    guard position > start else {
      throw error(peek.map { "expected a key, found \"\(printable($0))\"" } ?? "expected a key")
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func valueBehindKey() throws -> JSON {
    skipSpace()
    guard take("=") else { throw error("expected \"=\" after the key") }
    skipSpace()
    return try value(depth: 0)
  }

  private mutating func endLine() throws {
    skipSpace()
    try skipComment()
    guard peek == nil || takeLineBreak() else { throw error("expected the end of the line") }
  }

  // MARK: Values

  /// Enough for lists in suites.
  private static let maximumDepth = 8

  private mutating func value(depth: Int) throws -> JSON {
    switch peek {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try string())
    case UInt8(ascii: "["):
      guard depth < Self.maximumDepth else { throw error("lists are nested too deeply") }
      return .array(try array(depth: depth))
    case UInt8(ascii: "{"): throw error("{inline tables} are not supported")
    case nil, UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): throw error("expected a value")
    default: return try word()
    }
  }

  private mutating func array(depth: Int) throws -> [JSON] {
    position += 1
    var values: [JSON] = []
    while true {
      try skipBlank()
      if take("]") { return values }
      guard peek != nil else { throw error("expected \"]\" at the end of the list") }
      values.append(try value(depth: depth + 1))
      try skipBlank()
      if take(",") { continue }
      guard take("]") else { throw error("expected \",\" or \"]\" in a list") }
      return values
    }
  }

  /// A boolean or a number.
  private mutating func word() throws -> JSON {
    let start = position
    while let c = peek, isKey(c) || c == UInt8(ascii: "+") || c == UInt8(ascii: ".") || c == UInt8(ascii: ":") {
      position += 1
    }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    guard !word.isEmpty else { throw error("expected a value, found \"\(printable(bytes[start]))\"") }
    if word == "true" || word == "false" { return .bool(word == "true") }
    if let number = TOMLNumber.parse(word) { return number }
    if word.firstMatch(of: #/^[0-9]{4}-[0-9]{2}-|^[0-9]{2}:/#) != nil {
      throw error("dates and times are not supported")
    }
    throw error("\"\(word.printable)\" is not a number; strings need quotes")
  }

  // MARK: Characters

  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  func error(_ reason: String) -> TOMLError { TOMLError(line: line, reason: reason) }

  func printable(_ byte: UInt8) -> String {
    byte < 0x80 ? String(UnicodeScalar(byte)).printable : "a non-ASCII character"
  }

  private func isKey(_ c: UInt8) -> Bool {
    switch c {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  mutating func take(_ text: StaticString) -> Bool {
    let end = position + text.utf8CodeUnitCount
    guard end <= bytes.count, (0..<text.utf8CodeUnitCount).allSatisfy({ bytes[position + $0] == text.utf8Start[$0] })
    else { return false }
    position = end
    return true
  }

  mutating func takeLineBreak() -> Bool {
    guard take("\n") || take("\r\n") else { return false }
    line += 1
    return true
  }

  private mutating func skipSpace() {
    while let c = peek, c == 0x20 || c == 0x09 { position += 1 }
  }

  private mutating func skipComment() throws {
    guard peek == UInt8(ascii: "#") else { return }
    while let c = peek, c != 0x0A, !(c == 0x0D && position + 1 < bytes.count && bytes[position + 1] == 0x0A) {
      guard c >= 0x20 && c != 0x7F || c == 0x09 else { throw error("control character in a comment") }
      position += 1
    }
  }

  /// Skips white space, comments and line breaks.
  private mutating func skipBlank() throws {
    repeat {
      skipSpace()
      try skipComment()
    } while takeLineBreak()
  }
}
