/// A regular expression from a file or the command line whose running time is limited for any text.
///
/// Matching uses backtracking, so the first alternative that lets the rest match wins. Backtracking may repeat the same
/// attempt many times. When it takes more steps than trying every state at every position once, the rest of the text is
/// matched with `PatternTable`, which does just that. Both give the same matches. So the time is at most proportional
/// to the text's length times the pattern's size, and both are limited.
package struct Pattern: Sendable {
  indirect enum Node: Sendable, Equatable {
    case set(ScalarSet)
    case sequence([Node])
    /// The first one that lets the rest match wins.
    case alternatives([Node])
    case repetition(Node, Int, Int, Mode)
    /// Whether the inner node matches here (or, negative, does not), without taking characters.
    case lookAhead(Node, negative: Bool)
    case anchor(Anchor)
  }

  enum Mode: Sendable { case greedy, lazy, possessive }

  enum Anchor: Sendable {
    case startOfText, endOfText
    /// Before a line feed, or at the end of the text.
    case endOfLine

    func holds(at position: Int, in text: UnsafeBufferPointer<Unicode.Scalar>) -> Bool {
      switch self {
      case .startOfText: position == 0
      case .endOfText: position == text.count
      case .endOfLine: position == text.count || text[position] == "\n"
      }
    }
  }

  let node: Node
  let program: [Instruction]

  /// - Throws: `PatternError` that names what is not supported or not valid.
  package init(_ text: String, _ syntax: PatternSyntax) throws {
    var parser = PatternParser(text, syntax)
    let node = try parser.pattern()
    switch syntax {
    case .tokenizer:
      // With an empty match a search would never advance.
      guard !node.canBeEmpty else { throw PatternError("matches the empty string") }
      try self.init(node, maximumSize: syntax.maximumSize)
    case .name: try self.init(ofWholeTexts: node, maximumSize: syntax.maximumSize)
    }
  }

  init(ofWholeTexts node: Node, maximumSize: Double) throws {
    try self.init(.sequence([node, .anchor(.endOfText)]), maximumSize: maximumSize)
  }

  private init(_ node: Node, maximumSize: Double) throws {
    // Nested counts multiply.
    guard node.size <= maximumSize else { throw PatternError("is too large") }
    self.node = node
    program = Self.compile(node)
  }

  /// The matches in a text, from left to right, not overlapping.
  package func matches(in text: UnsafeBufferPointer<Unicode.Scalar>) -> [Range<Int>] {
    matches(in: text, steps: steps(for: text.count))
  }

  /// - Parameter steps: maximum number of backtracking steps.
  func matches(in text: UnsafeBufferPointer<Unicode.Scalar>, steps: Int) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var search = Backtracking(text, steps: steps)
    var table: PatternTable.Ends?
    var start = 0
    while start < text.count {
      var end: Int?
      if let table {
        end = table[start]
      } else {
        end = search.run(program, from: start)
        if search.isExhausted {
          table = PatternTable(node).ends(in: text, from: start)
          continue
        }
      }
      if let end {
        matches.append(start..<end)
        start = end
      } else {
        start += 1
      }
    }
    return matches
  }

  /// Whether a name pattern matches the whole name.
  package func matches(name: String) -> Bool {
    let text = Array(name.unicodeScalars)
    return matches(name: text, steps: steps(for: text.count))
  }

  func matches(name: [Unicode.Scalar], steps: Int) -> Bool {
    name.withUnsafeBufferPointer { text in
      var search = Backtracking(text, steps: steps)
      let end = search.run(program, from: 0)
      return search.isExhausted ? PatternTable(node).ends(in: text, from: 0)[0] != nil : end != nil
    }
  }

  /// More than tokenizer patterns take on any text, or the cost of the table, which is faster per state than
  /// backtracking per step.
  private func steps(for count: Int) -> Int { max(64 * (count + 64), Int(node.size) * count / 4) }
}

/// The syntax and meaning of a regular expression.
package enum PatternSyntax: Sendable {
  /// For a tokenizer.json: only constructs that mean the same in Oniguruma, Hugging Face's engine. All others are
  /// refused.
  case tokenizer
  /// For names on the command line: the usual constructs. `\d`, `\w` and `\s` are ASCII; the whole name must match.
  case name

  /// Maximum `Pattern.Node.size`. For a million characters a tokenizer's table has 2.5·10⁸ entries. Names are short.
  var maximumSize: Double { self == .tokenizer ? 256 : 50_000 }
}

/// Why a regular expression cannot be used.
package struct PatternError: Error, Equatable, Sendable {
  /// A predicate without subject: "has an extra \")\"".
  package let reason: String
  init(_ reason: String) { self.reason = reason }
}
