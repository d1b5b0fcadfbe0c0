import Base

/// Recognises added tokens in raw text before tokenization.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let id: Int32
    let rules: AddedToken
    /// The text that is matched: its content, normalized if the token is.
    let entry: String
    /// The text used in decoding: the normalized content, also for a token that is no longer normalized.
    let decoded: String

    var content: String { rules.content }
  }

  /// Part of a text: a token found in it, or the text between two of them.
  enum Part {
    /// Including the white space that belongs to it.
    case token(Int32, Range<Int>)
    case text(Range<Int>)

    var range: Range<Int> {
      switch self {
      case .token(_, let range), .text(let range): range
      }
    }
  }

  let byID: [Int32: Token]
  private let ids: [String: Int32]
  /// Contents added as special; a later addition does not undo this.
  private let special: Set<String>
  private let raw: Finder
  private let normalized: Finder

  /// Adds tokens one by one. A token gets its id in the vocabulary, or else the next one; an existing content only gets
  /// new flags.
  /// - Parameters:
  ///   - groups: tokens added at once; the next id is determined before each group.
  ///   - path: the tokenizer's, for messages.
  ///   - splitsSpecial: whether special tokens in text are treated like other text ("split_special_tokens").
  /// - Throws: `invalid` for tokens that are the same text after normalization.
  init(
    _ groups: [[AddedToken]], path: String, _ vocabulary: Vocabulary, _ normalizer: Normalizer?, splitsSpecial: Bool
  ) throws {
    var (byID, ids): ([Int32: Token], [String: Int32]) = ([:], [:])
    var decoded: [Int32: String] = [:]
    var special = Set<String>()
    for group in groups {
      var next = max(Int32(vocabulary.count), (byID.keys.max() ?? -1) + 1)
      for token in group where !token.content.isEmpty {
        let key = token.content.bytesKey
        var id = ids[key] ?? vocabulary.id(of: token.content)
        if id == nil {
          id = next
          next += 1
        }
        ids[key] = id
        if token.isSpecial { special.insert(key) }
        var entry = token.content
        if token.isNormalized, let normalizer {
          let new = normalizer.apply(to: token.content)
          if !new.isSame(as: token.content) { decoded[id!] = new }
          entry = decoded[id!] ?? entry
        }
        byID[id!] = Token(id: id!, rules: token, entry: entry, decoded: decoded[id!] ?? token.content)
      }
    }
    let found = byID.values.sorted { $0.id < $1.id }
    var entries: [String: Token] = [:]
    for token in found where token.rules.isNormalized && !token.entry.isEmpty {
      guard let other = entries.updateValue(token, forKey: token.entry.bytesKey) else { continue }
      throw VPatchError(
        .invalid, path,
        "the added tokens \"\(other.content.printable)\" and \"\(token.content.printable)\" are the same text when "
          + "normalized, and transformers recognises either at random",
        remedy: "set \"normalized\": false for one of them")
    }
    self.byID = byID
    self.ids = ids
    self.special = special
    let skipped = splitsSpecial ? special : []
    raw = Finder(found.filter { !$0.rules.isNormalized }, skipped)
    normalized = Finder(found.filter(\.rules.isNormalized), skipped)
  }

  func id(of content: String) -> Int32? { ids[content.bytesKey] }

  /// Whether an entry, as used in decoding, is a control token ("<|im_end|>") rather than text.
  func isSpecial(_ entry: String) -> Bool { special.contains(entry.bytesKey) }

  /// Splits raw text at tokens.
  func split(_ text: [Unicode.Scalar]) -> [Part] { raw.split(text) }

  /// Splits a normalized part of it.
  func splitNormalized(_ text: [Unicode.Scalar]) -> [Part] { normalized.split(text) }
}

extension AddedTokens {
  /// Finds the leftmost token, the longest at that position.
  private struct Finder: Sendable {
    /// By first character; longer ones first.
    private var tokens: [Unicode.Scalar: [(entry: [Unicode.Scalar], token: Token, isSkipped: Bool)]] = [:]

    /// - Parameter skipped: contents that are ignored where they are found.
    init(_ tokens: [Token], _ skipped: Set<String>) {
      // Normalization may leave an empty text.
      for token in tokens where !token.entry.isEmpty {
        let entry = Array(token.entry.unicodeScalars)
        self.tokens[entry[0], default: []].append((entry, token, skipped.contains(token.content.bytesKey)))
      }
      for key in self.tokens.keys { self.tokens[key]!.sort { $0.entry.count > $1.entry.count } }
    }

    func split(_ text: [Unicode.Scalar]) -> [Part] {
      guard !tokens.isEmpty else { return text.isEmpty ? [] : [.text(0..<text.count)] }
      var parts: [Part] = []
      var (position, done) = (0, 0)
      while position < text.count {
        guard let (entry, token, isSkipped) = match(text, position) else {
          position += 1
          continue
        }
        var (start, end) = (position, position + entry.count)
        position = end
        if isSkipped { continue }
        if token.rules.isSingleWord,
          start > 0 && text[start - 1].isWord || end < text.count && text[end].isWord
        {
          continue
        }
        if token.rules.stripsLeft {
          while start > done, text[start - 1].properties.isWhitespace { start -= 1 }
          start = max(start, done)
        }
        if token.rules.stripsRight { while end < text.count, text[end].properties.isWhitespace { end += 1 } }
        if done < start { parts.append(.text(done..<start)) }
        // A token is dropped if the one before contains it whole, but kept if it overlaps.
        if start < end { parts.append(.token(token.id, start..<end)) }
        done = end
      }
      if done < text.count { parts.append(.text(done..<text.count)) }
      return parts
    }

    private func match(
      _ text: [Unicode.Scalar], _ start: Int
    ) -> (entry: [Unicode.Scalar], token: Token, isSkipped: Bool)? {
      tokens[text[start]]?.first { text[start...].starts(with: $0.entry) }
    }
  }
}

extension Unicode.Scalar {
  /// `\w` of Unicode Technical Standard #18, annex C, by Unicode 16 as in Hugging Face's; newer characters are not
  /// included.
  fileprivate var isWord: Bool {
    if value >= 0x80, properties.age.map({ $0.major > 16 }) ?? true { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: false
    }
  }
}
