import Base

/// Splits a CSV (RFC 4180) or tab-separated table into rows: the first row has the column names; empty fields are
/// ignored.
///
/// SwiftCSV is not used: it trims fields, splits text at graphemes, so that a quote before a combining mark is missed,
/// and does not report an unterminated quote. Training data must be exactly what the file has.
struct TableSplitter {
  private let delimiter: UInt8
  private let limit: Int
  private let path: String
  private var names: [String] = []
  private var (field, fields): ([UInt8], [[UInt8]]) = ([], [])
  private var length = 0
  private var number = 0
  private var state = State.start

  private enum State { case start, plain, quoted, quoteInQuoted, carriageReturn }

  /// - Parameters:
  ///   - limit: maximum bytes of a row.
  ///   - path: for errors.
  init(isTabbed: Bool, limit: Int, path: String) {
    delimiter = isTabbed ? UInt8(ascii: "\t") : UInt8(ascii: ",")
    (self.limit, self.path) = (limit, path)
  }

  mutating func add(_ piece: [UInt8], _ body: (Int, [JSON.Member]) throws -> Void) throws {
    let (quote, newline, back) = (UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    for byte in piece {
      length += 1
      guard length <= limit else { throw error("has more than \(limit) bytes in \(place)") }
      switch (state, byte) {
      case (.quoted, quote): state = .quoteInQuoted
      case (.quoted, _): field.append(byte)
      case (.quoteInQuoted, quote):
        field.append(byte)
        state = .quoted
      case (.carriageReturn, newline), (.start, newline), (.plain, newline), (.quoteInQuoted, newline):
        try endRow(body)
      case (.carriageReturn, _): throw error("has a carriage return without a line feed in \(place)")
      case (_, back): state = .carriageReturn
      case (_, delimiter):
        endField()
      case (.quoteInQuoted, _): throw error("has text after a quoted field in \(place)")
      case (.start, quote): state = .quoted
      case (.plain, quote): throw error("has a quote inside an unquoted field in \(place)")
      default:
        state = .plain
        field.append(byte)
      }
    }
  }

  mutating func end(_ body: (Int, [JSON.Member]) throws -> Void) throws {
    guard state != .quoted else { throw error("has an unterminated quoted field in \(place)") }
    if length > 0 { try endRow(body) }
    guard !names.isEmpty else { throw error("has no row with column names") }
  }

  private var place: String { number == 0 ? "the row with column names" : "row \(number)" }

  private mutating func endField() {
    fields.append(field)
    field.removeAll(keepingCapacity: true)
    state = .start
  }

  private mutating func endRow(_ body: (Int, [JSON.Member]) throws -> Void) throws {
    endField()
    defer { (fields, length) = ([], 0) }
    // Skips a blank line.
    guard fields.count > 1 || !fields[0].isEmpty else { return }
    let texts = try fields.map { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { throw error("is not UTF-8 in \(place)") }
      return text
    }
    defer { number += 1 }
    guard number > 0 else {
      guard Set(texts.map(\.bytesKey)).count == texts.count, !texts.contains("") else {
        throw error("has columns without a name, or several with the same name")
      }
      names = texts
      return
    }
    guard texts.count == names.count else {
      throw error("has \(Format.counted(texts.count, "field")) in \(place), and \(names.count) columns")
    }
    try body(number, zip(names, texts).filter { !$1.isEmpty }.map { JSON.Member($0, Self.value($1, of: $0)) })
  }

  /// A string; but marks of trained rows are numbers, or true or false as pandas and Excel write them.
  private static func value(_ text: String, of name: String) -> JSON {
    guard LossMark.keys.contains(name) else { return .string(text) }
    switch text.lowercased() {
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: return Double(text).map { JSON($0) } ?? .string(text)
    }
  }

  private func error(_ reason: String) -> VPatchError { VPatchError(.invalid, path, reason) }
}
