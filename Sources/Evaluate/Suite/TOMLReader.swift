import PatchFormat
import TOMLKit

/// Keys of one table of a TOML file, each read once and by its type; what was not read is not known.
struct TOMLReader {
  /// The file, for messages.
  let path: String
  /// Which table, for messages: "the task \"arc\""; nil for the file itself.
  let place: String?
  private let members: [JSON.Member]
  /// Texts and questions are in files of their own.
  private static let maximumSize = 64 << 10
  /// A suite has lists in tables in a list.
  private static let maximumDepth = 4
  private var known: [String] = []

  init(_ members: [JSON.Member], path: String, place: String?) {
    self.members = members
    self.path = path
    self.place = place
  }

  /// Reads a file's outermost table.
  /// - Throws: `invalid` with the line where the file is not TOML.
  static func file(_ path: String) throws -> TOMLReader {
    let bytes = try InputFile.contents(of: path, limit: maximumSize)
    guard let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
      throw VPatchError(.invalid, path, "is not text in UTF-8")
    }
    do {
      // The parser calls itself for every part of a dotted key.
      let found = try DeepStack.run { try Self.members(TOMLTable(string: text), depth: 0) }
      return TOMLReader(found, path: path, place: nil)
    } catch let error as TOMLParseError {
      throw VPatchError(.invalid, path, "line \(error.source.begin.line): is not TOML: \(error.description)")
    } catch let error as OtherValue {
      throw VPatchError(.invalid, path, "has \(error.what) as \"\(error.key)\", which no key of a suite takes")
    }
  }

  func error(_ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(.invalid, path, (place.map { $0 + " " } ?? "") + reason, remedy: remedy)
  }

  // MARK: Values

  private mutating func value(_ key: String) -> JSON? {
    known.append(key)
    return members.first { $0.key.isSame(as: key) }?.value
  }

  private func wrong(_ key: String, _ expected: String) -> VPatchError {
    error("has a \"\(key)\" that is not \(expected)")
  }

  mutating func text(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else { throw wrong(key, "a text") }
    return text
  }

  mutating func requiredText(_ key: String) throws -> String {
    guard let text = try text(key), !text.isEmpty else { throw error("has no \"\(key)\"") }
    return text
  }

  mutating func int(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.int, range.contains(number) else {
      throw wrong(key, "a whole number of \(Format.grouped(range.lowerBound)) to \(Format.grouped(range.upperBound))")
    }
    return number
  }

  mutating func texts(_ key: String) throws -> [String]? {
    guard let value = value(key) else { return nil }
    guard let texts = value.array?.map(\.string), texts.allSatisfy({ $0 != nil }) else {
      throw wrong(key, "a list of texts")
    }
    return texts.map { $0! }
  }

  /// One of the words of an enumeration.
  mutating func word<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws -> Word? where Word.RawValue == String {
    guard let text = try text(key) else { return nil }
    guard let word = Word(rawValue: text) else { throw wrong(key, Self.list(Word.self)) }
    return word
  }

  mutating func words<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws -> [Word]? where Word.RawValue == String {
    guard let texts = try texts(key) else { return nil }
    let words = texts.compactMap(Word.init(rawValue:))
    guard words.count == texts.count, Set(texts).count == texts.count else {
      throw wrong(key, "a list of \(Self.list(Word.self)), each once")
    }
    return words
  }

  static func list<Word: RawRepresentable & CaseIterable>(_: Word.Type) -> String where Word.RawValue == String {
    let names = Word.allCases.map { "\"\($0.rawValue)\"" }
    guard names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or \(names.last!)"
  }

  /// The tables of an array of tables.
  mutating func tables(_ key: String) throws -> [[JSON.Member]] {
    guard let value = value(key) else { return [] }
    guard let tables = value.array?.map(\.object), tables.allSatisfy({ $0 != nil }) else {
      throw wrong(key, "written as [[\(key)]]")
    }
    return tables.map { $0! }
  }

  /// - Throws: `invalid` for a key that nobody read.
  func finish() throws {
    guard let other = members.first(where: { member in !known.contains { $0.isSame(as: member.key) } }) else { return }
    throw error(
      "has the key \"\(other.key)\", which it does not take", remedy: "keys are \(known.joined(separator: ", "))")
  }

  // MARK: From TOMLKit

  private struct OtherValue: Error {
    let what: String
    let key: String
  }

  private static func members(_ table: TOMLTable, depth: Int) throws -> [JSON.Member] {
    try table.keys.map { JSON.Member($0, try json(table[$0]!, $0, depth: depth + 1)) }
  }

  private static func json(_ value: any TOMLValueConvertible, _ key: String, depth: Int) throws -> JSON {
    switch value.type {
    case .table, .array:
      guard depth < maximumDepth else { throw OtherValue(what: "values that deep", key: key) }
      if let table = value.table { return .object(try members(table, depth: depth)) }
      return .array(try value.array!.map { try json($0, key, depth: depth + 1) })
    case .string: return .string(value.string!)
    case .int: return JSON(value.int!)
    case .double: return .number("\(value.double!)")
    case .bool: return .bool(value.bool!)
    case .date, .time, .dateTime: throw OtherValue(what: "a \(value.type.description)", key: key)
    }
  }
}
