import Base

/// Splits a text into words; there are no merges across words.
indirect enum PreTokenizer: Sendable {
  case split(Matcher, Behavior, inverted: Bool)
  case digits(individually: Bool)
  case byteLevel(addsPrefix: Bool, Pattern?)
  case metaspace(Unicode.Scalar, Prefix, splits: Bool)
  case sequence([PreTokenizer])

  /// Treatment of a match.
  enum Behavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case withPrevious = "MergedWithPrevious"
    case withNext = "MergedWithNext"
    case contiguous = "Contiguous"
  }

  /// Pieces that get a space before them.
  enum Prefix: String, Sendable { case never, first, always }

  private static let supported = "ByteLevel, Digits, Split, Metaspace, Sequence"

  init(_ part: TokenizerPart) throws {
    switch try part.type {
    case "Split":
      let name = try part.string("behavior")
      guard let behavior = Behavior(rawValue: name) else {
        throw part.unsupported("the behavior \"\(name)\"", supported: "Isolated, Removed, Contiguous, MergedWith…")
      }
      self = .split(
        try Matcher(part.require("pattern")), behavior, inverted: try part.bool("invert", default: false))
    case "Digits": self = .digits(individually: try part.bool("individual_digits"))
    case "ByteLevel":
      let pattern = try part.bool("use_regex", default: true) ? try Pattern(ByteLevel.pattern, .tokenizer) : nil
      self = .byteLevel(addsPrefix: try part.bool("add_prefix_space"), pattern)
    case "Metaspace":
      self = .metaspace(
        try part.scalar("replacement"), try Prefix(part), splits: try part.bool("split", default: true))
    case "Sequence": self = .sequence(try part.elements("pretokenizers").map(PreTokenizer.init))
    case let type: throw part.unsupported("the pre-tokenizer \"\(type)\"", supported: Self.supported)
    }
  }

  func apply(to pieces: inout Pieces) {
    switch self {
    case .split(let matcher, let behavior, let inverted):
      if behavior == .removed {
        pieces.remove(matcher, inverted: inverted)
      } else {
        pieces.cut { text in behavior.ends(of: matcher.matches(in: text), in: text.count, inverted: inverted) }
      }
    case .digits(let individually):
      let behavior = individually ? Behavior.isolated : .contiguous
      pieces.cut { text in
        let digits = text.indices.filter { ScalarSet.numeric.contains(text[$0]) }.map { $0..<$0 + 1 }
        return behavior.ends(of: digits, in: text.count, inverted: false)
      }
    case .byteLevel(let addsPrefix, let pattern):
      if addsPrefix {
        pieces.replace { piece, _, text in
          if piece.first != " " { text.append(" ") }
          text += piece
        }
      }
      if let pattern {
        pieces.cut { Behavior.isolated.ends(of: pattern.matches(in: $0), in: $0.count, inverted: false) }
      }
      pieces.replace { piece, _, text in
        for scalar in piece {
          if scalar.isASCII {
            text.append(ByteLevel.scalars[Int(scalar.value)])
          } else {
            for byte in UTF8.encode(scalar)! { text.append(ByteLevel.scalars[Int(byte)]) }
          }
        }
      }
    case .metaspace(let mark, let prefix, let splits):
      pieces.replace { piece, isFirst, text in
        let isPrefixed = prefix == .always || prefix == .first && isFirst
        if isPrefixed, let first = piece.first, first != " ", first != mark { text.append(mark) }
        for scalar in piece { text.append(scalar == " " ? mark : scalar) }
      }
      guard splits else { return }
      pieces.cut { text in
        let marks = text.indices.filter { text[$0] == mark }.map { $0..<$0 + 1 }
        return Behavior.withNext.ends(of: marks, in: text.count, inverted: false)
      }
    case .sequence(let steps): for step in steps { step.apply(to: &pieces) }
    }
  }
}

extension PreTokenizer {
  /// The first piece is found by its characters' positions before normalization.
  /// - Parameter cuts: whether added tokens are matched in normalized text.
  /// - Throws: `refused` if it is undefined whether a piece begins with the normalized first character.
  func check(behind normalizer: Normalizer?, cuts: Bool, _ file: TokenizerPart) throws {
    guard prefixesFirst, let normalizer, !normalizer.keepsPlaces else { return }
    guard cuts || !beginsWithMetaspace || !normalizer.keepsBeginning else { return }
    throw TokenizerPart(path: file.path, place: "pre_tokenizer", json: file.json)
      .unsupported(
        "\"Metaspace\" with \"prepend_scheme\": \"first\" after this normalizer",
        supported: "no normalizer, one that replaces single characters, or one that keeps the first, "
          + "with Metaspace as first pre-tokenizer and without added tokens that are \"normalized\"")
  }

  private var prefixesFirst: Bool {
    switch self {
    case .metaspace(_, let prefix, _): prefix == .first
    case .sequence(let steps): steps.contains(where: \.prefixesFirst)
    default: false
    }
  }

  private var beginsWithMetaspace: Bool {
    switch self {
    case .metaspace: true
    case .sequence(let steps):
      steps.first?.beginsWithMetaspace == true && !steps.dropFirst().contains(where: \.prefixesFirst)
    default: false
    }
  }
}

extension PreTokenizer.Behavior {
  /// The ends of a text's pieces, given the matches. (`removed` splits like `isolated`.)
  func ends(of matches: [Range<Int>], in count: Int, inverted: Bool) -> [Int] {
    // Matches and the text between them, in order.
    var parts: [(end: Int, isMatch: Bool)] = []
    var end = 0
    for match in matches {
      if match.lowerBound > end { parts.append((match.lowerBound, inverted)) }
      parts.append((match.upperBound, !inverted))
      end = match.upperBound
    }
    if count > end { parts.append((count, inverted)) }
    switch self {
    case .isolated, .removed: return parts.map(\.end)
    case .contiguous:
      return parts.indices.filter { $0 == parts.count - 1 || parts[$0].isMatch != parts[$0 + 1].isMatch }
        .map { parts[$0].end }
    // Among adjacent matches, the first joins the text before, or the last joins the text after; the others stay
    // separate.
    case .withPrevious:
      return parts.indices.filter { i in
        i == parts.count - 1 || !parts[i + 1].isMatch || parts[i].isMatch
      }.map { parts[$0].end }
    case .withNext:
      return parts.indices.filter { i in
        i == parts.count - 1 || !parts[i].isMatch || parts[i + 1].isMatch
      }.map { parts[$0].end }
    }
  }
}

extension PreTokenizer.Prefix {
  /// From a new or old Metaspace: `prepend_scheme`, or `add_prefix_space` in old files.
  init(_ part: TokenizerPart) throws {
    if part.part("prepend_scheme") != nil {
      let name = try part.string("prepend_scheme")
      guard let prefix = Self(rawValue: name) else { throw part.error("\"prepend_scheme\" is \"\(name)\"") }
      if prefix != .never, part.part("add_prefix_space")?.json == .bool(false) {
        throw part.error("\"add_prefix_space\" contradicts \"prepend_scheme\"")
      }
      self = prefix
    } else {
      self = try part.bool("add_prefix_space", default: true) ? .always : .never
    }
  }
}

extension Pieces {
  /// Splits at matches and removes them; or removes the text between them.
  mutating func remove(_ matcher: Matcher, inverted: Bool) {
    var (text, ends): ([Unicode.Scalar], [Int]) = ([], [])
    for range in ranges {
      let matches = scalars.withUnsafeBufferPointer { matcher.matches(in: UnsafeBufferPointer(rebasing: $0[range])) }
      var kept: [Range<Int>] = matches
      if !inverted {
        let starts = [0] + matches.map(\.upperBound)
        kept = zip(starts, matches.map(\.lowerBound) + [range.count]).map { $0..<$1 }
      }
      for part in kept where !part.isEmpty {
        text += scalars[range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound]
        ends.append(text.count)
      }
    }
    (scalars, self.ends) = (text, ends)
  }
}
