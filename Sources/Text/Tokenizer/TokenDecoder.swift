/// Incremental decoding of ids, for generation.
///
/// Incomplete UTF-8 is held back, so the texts together equal `Tokenizer.decode` of all ids.
package struct TokenDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  /// Bytes that are not yet complete text.
  private var held: [UInt8] = []
  private var isFirst = true
  private var stripsLeft: Int

  init(_ tokenizer: Tokenizer, skipsSpecialTokens: Bool) {
    self.tokenizer = tokenizer
    self.skipsSpecialTokens = skipsSpecialTokens
    stripsLeft = tokenizer.decodingRules.strip?.count ?? 0
  }

  /// The text that is complete with this id; empty for an unknown id.
  package mutating func append(_ id: Int32) -> String {
    guard let entry = tokenizer.added.byID[id]?.decoded ?? tokenizer.token(id),
      !(skipsSpecialTokens && tokenizer.added.isSpecial(entry))
    else { return "" }
    var scalars = Array(entry.unicodeScalars)
    let rules = tokenizer.decodingRules
    for (matcher, replacement) in rules.replacements { scalars = matcher.replacing(in: scalars, by: replacement) }
    if rules.isByteLevel {
      // Added tokens may have characters outside the alphabet, which stand for themselves.
      let bytes = scalars.compactMap(ByteLevel.byte(of:))
      held += bytes.count == scalars.count ? bytes : scalars.flatMap { UTF8.encode($0)! }
      return flushCompleted()
    }
    if rules.hasBytes, let byte = Self.byte(scalars) {
      isFirst = false
      held.append(byte)
      return ""
    }
    if let (mark, dropsFirst) = rules.metaspace {
      scalars = scalars.compactMap { $0 != mark ? $0 : isFirst && dropsFirst ? nil : " " }
    }
    isFirst = false
    return flushRun() + stripped(scalars)
  }

  /// The remaining text, at the end.
  package mutating func finish() -> String {
    guard tokenizer.decodingRules.isByteLevel else { return flushRun() }
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  /// Returns complete characters, and keeps an incomplete one.
  private mutating func flushCompleted() -> String {
    // A first byte gives the number of following ones; if they are incomplete, all are kept.
    var end = held.count
    for back in 1..<4 where back <= held.count {
      let byte = held[held.count - back]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      if length > back { end = held.count - back }
      break
    }
    defer { held.removeSubrange(..<end) }
    return String(decoding: held[..<end], as: UTF8.self)
  }

  /// Adjacent byte tokens form one text or, if invalid, as many replacement characters.
  private mutating func flushRun() -> String {
    guard !held.isEmpty else { return "" }
    defer { held = [] }
    let text = String(validating: held, as: UTF8.self) ?? String(repeating: "\u{FFFD}", count: held.count)
    return stripped(Array(text.unicodeScalars))
  }

  private mutating func stripped(_ scalars: [Unicode.Scalar]) -> String {
    var rest = scalars[...]
    if let (mark, _) = tokenizer.decodingRules.strip {
      while stripsLeft > 0, rest.first == mark {
        rest.removeFirst()
        stripsLeft -= 1
      }
      if !rest.isEmpty { stripsLeft = 0 }
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: rest)
    return String(view)
  }

  /// <0x41>
  private static func byte(_ scalars: [Unicode.Scalar]) -> UInt8? {
    guard scalars.count == 6, scalars.starts(with: ["<", "0", "x"]), scalars[5] == ">" else { return nil }
    return UInt8(String(Character(scalars[3])) + String(Character(scalars[4])), radix: 16)
  }
}
