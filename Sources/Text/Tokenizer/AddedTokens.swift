import PatchFormat

/// Tokens that are found in a text before anything else is done to it.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let id: Int32
    let content: String
    let isSpecial: Bool
    /// Found only where no letter or digit is beside it.
    let isSingleWord: Bool
    /// Take the white space beside them in.
    let stripsLeft: Bool
    let stripsRight: Bool
    /// Found in the text as the normalizer leaves it.
    let isNormalized: Bool
    /// What is looked for, and what it is decoded from: its content, normalized where it is.
    let entry: String
  }

  /// Part of a text: a token found in it, or what is between two of them.
  enum Part {
    /// With the white space that it takes in.
    case token(Int32, Range<Int>)
    case text(Range<Int>)

    var range: Range<Int> {
      switch self {
      case .token(_, let range), .text(let range): range
      }
    }
  }

  let tokens: [Token]
  let byID: [Int32: Token]
  private let ids: [String: Int32]
  private let raw: Finder
  private let normalized: Finder

  /// - Throws: `invalid` where an id is not the one that Hugging Face gives: that of the vocabulary, or else the next.
  init(_ parts: [TokenizerPart], _ vocabulary: Vocabulary, _ normalizer: Normalizer?) throws {
    var (tokens, ids): ([Token], [String: Int32]) = ([], [:])
    var highest = Int32(vocabulary.count) - 1
    for part in parts {
      let content = try part.string("content")
      guard !content.isEmpty else { throw part.error("is an empty token") }
      let id = try part.int("id")
      let known = ids[content.bytesKey] ?? vocabulary.id(of: content)
      guard id == Int(known ?? highest + 1) else {
        throw part.error("the token \"\(content)\" has the id \(id), and its place is \(known ?? highest + 1)")
      }
      highest = max(highest, Int32(id))
      guard ids.updateValue(Int32(id), forKey: content.bytesKey) == nil else {
        throw part.error("the token \"\(content)\" occurs twice")
      }
      let isNormalized = try part.bool("normalized")
      tokens.append(
        Token(
          id: Int32(id), content: content, isSpecial: try part.bool("special"),
          isSingleWord: try part.bool("single_word"), stripsLeft: try part.bool("lstrip"),
          stripsRight: try part.bool("rstrip"), isNormalized: isNormalized,
          entry: isNormalized ? normalizer?.apply(to: content) ?? content : content))
    }
    self.tokens = tokens
    self.ids = ids
    byID = Dictionary(uniqueKeysWithValues: tokens.map { ($0.id, $0) })
    raw = Finder(tokens.filter { !$0.isNormalized })
    normalized = Finder(tokens.filter(\.isNormalized))
  }

  func id(of content: String) -> Int32? { ids[content.bytesKey] }

  /// The tokens in a text as it was given.
  func split(_ text: [Unicode.Scalar]) -> [Part] { raw.split(text) }

  /// The tokens in a part of it, normalized.
  func splitNormalized(_ text: [Unicode.Scalar]) -> [Part] { normalized.split(text) }
}

extension AddedTokens {
  /// Finds the leftmost token, of several there the longest.
  private struct Finder: Sendable {
    /// By their first character; longer ones first.
    private var tokens: [Unicode.Scalar: [(entry: [Unicode.Scalar], token: Token)]] = [:]

    init(_ tokens: [Token]) {
      for token in tokens {
        let entry = Array(token.entry.unicodeScalars)
        if let first = entry.first { self.tokens[first, default: []].append((entry, token)) }
      }
      for key in self.tokens.keys { self.tokens[key]!.sort { $0.entry.count > $1.entry.count } }
    }

    func split(_ text: [Unicode.Scalar]) -> [Part] {
      guard !tokens.isEmpty else { return text.isEmpty ? [] : [.text(0..<text.count)] }
      var parts: [Part] = []
      var (position, done) = (0, 0)
      while position < text.count {
        guard let (length, token) = match(text, position) else {
          position += 1
          continue
        }
        var (start, end) = (position, position + length)
        position = end
        if token.isSingleWord,
          start > 0 && text[start - 1].isWord || end < text.count && text[end].isWord
        {
          continue
        }
        if token.stripsLeft { while start > done, text[start - 1].properties.isWhitespace { start -= 1 } }
        if token.stripsRight { while end < text.count, text[end].properties.isWhitespace { end += 1 } }
        if done < start { parts.append(.text(done..<start)) }
        parts.append(.token(token.id, start..<end))
        done = end
      }
      if done < text.count { parts.append(.text(done..<text.count)) }
      return parts
    }

    private func match(_ text: [Unicode.Scalar], _ start: Int) -> (Int, Token)? {
      guard let candidates = tokens[text[start]] else { return nil }
      for (entry, token) in candidates where text[start...].starts(with: entry) { return (entry.count, token) }
      return nil
    }
  }
}

extension Unicode.Scalar {
  /// `\w` of Unicode Technical Standard #18, annex C.
  fileprivate var isWord: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: false
    }
  }
}
