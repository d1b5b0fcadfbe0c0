/// A regular expression out of a file or from the command line, which no text can make slow.
///
/// It is matched by backtracking, so the first alternative that lets the rest match wins. Backtracking may try the same
/// thing at the same place over and over; where it takes more steps than it needs to try everything everywhere once,
/// the rest of the text is matched by a table of just that (`PatternTable`). Both give the same matches, so the time is
/// at most in proportion to the text's length times the pattern's size, and both have limits.
package struct Pattern: Sendable {
  indirect enum Node: Sendable, Equatable {
    case set(ScalarSet)
    case sequence([Node])
    /// The first that lets the rest match wins.
    case alternatives([Node])
    case repetition(Node, Int, Int, Mode)
    /// Whether what follows is, or is not, that.
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

  /// - Throws: `PatternError` naming what is not supported or not valid.
  package init(_ text: String, _ syntax: PatternSyntax) throws {
    var parser = PatternParser(text, syntax)
    let node = try parser.pattern()
    switch syntax {
    case .tokenizer:
      // A match that is empty would never let a search go on.
      guard !node.canBeEmpty else { throw PatternError("matches nothing at all") }
      try self.init(node, maximumSize: syntax.maximumSize)
    case .name: try self.init(ofWholeTexts: node, maximumSize: syntax.maximumSize)
    }
  }

  init(ofWholeTexts node: Node, maximumSize: Double) throws {
    try self.init(.sequence([node, .anchor(.endOfText)]), maximumSize: maximumSize)
  }

  private init(_ node: Node, maximumSize: Double) throws {
    // Counts inside counts multiply.
    guard node.size <= maximumSize else { throw PatternError("is too large") }
    self.node = node
    program = Self.compile(node)
  }

  /// The matches in a text, from left to right, without overlap.
  package func matches(in text: UnsafeBufferPointer<Unicode.Scalar>) -> [Range<Int>] {
    matches(in: text, steps: steps(for: text.count))
  }

  /// - Parameter steps: how many of them backtracking may take.
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

  /// Whether a pattern for names matches the whole of one.
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

  /// More than the patterns of tokenizers take on any text, or what takes as long as a table, which is quicker at each
  /// of its states than backtracking at a step.
  private func steps(for count: Int) -> Int { max(64 * (count + 64), Int(node.size) * count / 4) }
}

/// What a regular expression may say, and what it means.
package enum PatternSyntax: Sendable {
  /// Of a tokenizer.json: constructs that mean the same to Oniguruma, Hugging Face's engine. All others are refused, so
  /// that none is matched differently.
  case tokenizer
  /// Of names, on the command line: the usual constructs. `\d`, `\w` and `\s` are ASCII; the whole of a name matches.
  case name

  /// Of `Pattern.Node.size`. With a million characters a tokenizer's table has 2.5·10⁸ entries. Names are short.
  var maximumSize: Double { self == .tokenizer ? 256 : 50_000 }
}

/// Why a regular expression cannot be used.
package struct PatternError: Error, Equatable, Sendable {
  /// Goes on behind "it": "has a \")\" too many".
  package let reason: String
  init(_ reason: String) { self.reason = reason }
}
