extension ObjectReader {
  /// One of these words; nil if the member is missing or null.
  package func optionalWord(_ key: String, among words: [String]) throws(Failure) -> String? {
    guard let word = try optionalString(key) else { return nil }
    guard words.contains(word) else { throw wrong(key, words.asAlternatives) }
    return word
  }

  /// One of the words of an enumeration; nil if the member is missing or null.
  package func optionalWord<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws(Failure) -> Word? where Word.RawValue == String {
    try optionalWord(key, among: Word.allCases.map(\.rawValue)).map { Word(rawValue: $0)! }
  }

  package func optionalStrings(_ key: String) throws(Failure) -> [String]? {
    try optional(key, "a list of strings") { value in
      guard let strings = value.array?.map(\.string), !strings.contains(nil) else { return nil }
      return strings.map { $0! }
    }
  }

  /// Some of the words of an enumeration, each at most once; nil if the member is missing or null.
  package func optionalWords<Word: RawRepresentable & CaseIterable>(
    _ key: String, _: Word.Type = Word.self
  ) throws(Failure) -> [Word]? where Word.RawValue == String {
    guard let strings = try optionalStrings(key) else { return nil }
    let words = strings.compactMap(Word.init(rawValue:))
    guard words.count == strings.count, Set(strings).count == strings.count else {
      throw wrong(key, "a list of \(Word.allCases.map(\.rawValue).asAlternatives), without repetition")
    }
    return words
  }
}

extension [String] {
  /// `"a", "b" or "c"`
  package var asAlternatives: String {
    let names = map { "\"\($0)\"" }
    guard names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or \(names.last!)"
  }
}
