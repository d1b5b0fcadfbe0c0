import Base

/// Reads the keys of one TOML table, each once and by its type; keys that were not read are unknown.
package struct TOMLReader {
  /// Path of the file, for messages.
  let path: String
  /// The table, for messages: "the task \"arc\""; nil for the file itself.
  let place: String?
  private let members: [TOMLMember]
  private var known: [String] = []
  /// In bytes. Texts and questions are in separate files.
  private static let maximumSize = 1 << 20

  init(_ members: [TOMLMember], path: String, place: String?) {
    self.members = members
    self.path = path
    self.place = place
  }

  /// Reads a TOML file.
  /// - Returns: the top-level keys, and the tables by name.
  /// - Throws: `invalid` with the line of a syntax error.
  static func file(_ path: String) throws -> (keys: TOMLReader, tables: [TOMLFile.Table]) {
    let bytes = try InputFile.contents(of: path, limit: maximumSize)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VPatchError(.invalid, path, "is not UTF-8 text")
    }
    do {
      let file = try TOMLParser.parse(text)
      return (TOMLReader(file.members, path: path, place: nil), file.tables)
    } catch let error as TOMLError {
      throw VPatchError(.invalid, path, "line \(error.line): \(error.reason)")
    }
  }

  /// - Parameter line: of the key, if the error is about one.
  func error(_ reason: String, line: Int? = nil, remedy: String? = nil) -> VPatchError {
    let beginning = (line.map { "line \($0): " } ?? "") + (place.map { "\($0) " } ?? "")
    return VPatchError(.invalid, path, beginning + reason, remedy: remedy)
  }

  // MARK: Values

  private mutating func value(_ key: String) -> JSON? {
    known.append(key)
    return member(key)?.value
  }

  private func member(_ key: String) -> TOMLMember? { members.first { $0.key == key } }

  private func wrong(_ key: String, _ expected: String) -> VPatchError {
    error("has a \"\(key)\" that is not \(expected)", line: member(key)?.line)
  }

  mutating func text(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else { throw wrong(key, "a string") }
    return text
  }

  mutating func requiredText(_ key: String) throws -> String {
    guard let text = try text(key), !text.isEmpty else { throw error("has no \"\(key)\"") }
    return text
  }

  mutating func int(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.int, range.contains(number) else {
      throw wrong(key, "an integer from \(Format.grouped(range.lowerBound)) to \(Format.grouped(range.upperBound))")
    }
    return number
  }

  mutating func texts(_ key: String) throws -> [String]? {
    guard let value = value(key) else { return nil }
    guard let texts = value.array?.map(\.string), texts.allSatisfy({ $0 != nil }) else {
      throw wrong(key, "a list of strings")
    }
    return texts.map { $0! }
  }

  /// A value that is one of an enumeration's words.
  mutating func word<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws -> Word? where Word.RawValue == String {
    try word(key, among: Word.allCases.map(\.rawValue)).map { Word(rawValue: $0)! }
  }

  /// One of these words.
  mutating func word(_ key: String, among words: [String]) throws -> String? {
    guard let text = try text(key) else { return nil }
    guard words.contains(text) else { throw wrong(key, Self.list(words)) }
    return text
  }

  mutating func words<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws -> [Word]? where Word.RawValue == String {
    guard let texts = try texts(key) else { return nil }
    let words = texts.compactMap(Word.init(rawValue:))
    guard words.count == texts.count, Set(texts).count == texts.count else {
      throw wrong(key, "a list of \(Self.list(Word.self)), without repetition")
    }
    return words
  }

  static func list<Word: RawRepresentable & CaseIterable>(_: Word.Type) -> String where Word.RawValue == String {
    list(Word.allCases.map(\.rawValue))
  }

  static func list(_ words: [String]) -> String {
    let names = words.map { "\"\($0)\"" }
    guard names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or \(names.last!)"
  }

  /// - Throws: `invalid` for a key that was not read.
  func finish() throws {
    guard let other = members.first(where: { member in !known.contains(member.key) }) else { return }
    throw error(
      "has the unknown key \"\(other.key)\"", line: other.line,
      remedy: "known keys are \(known.joined(separator: ", "))")
  }
}
