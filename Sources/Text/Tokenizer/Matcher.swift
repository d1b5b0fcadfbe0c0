import Base

/// Pattern of a normalizer or pre-tokenizer: a literal text or a regular expression.
enum Matcher: Sendable {
  case literal([Unicode.Scalar])
  case pattern(Pattern)

  init(_ part: TokenizerPart) throws {
    if let literal = part.part("String") {
      guard let text = literal.json.string, !text.isEmpty else { throw literal.error("is not a pattern") }
      self = .literal(Array(text.unicodeScalars))
    } else {
      let text = try part.string("Regex")
      do {
        self = .pattern(try Pattern(text, .tokenizer))
      } catch let error as PatternError {
        throw part.unsupported(
          "the regular expression \(text): it \(error.reason), and that",
          supported: "classes, categories, alternatives, repetition, look ahead")
      }
    }
  }

  func matches(in text: UnsafeBufferPointer<Unicode.Scalar>) -> [Range<Int>] {
    switch self {
    case .pattern(let pattern): return pattern.matches(in: text)
    case .literal(let literal):
      var matches: [Range<Int>] = []
      var start = 0
      while start + literal.count <= text.count {
        if text[start] == literal[0], text[start..<start + literal.count].elementsEqual(literal) {
          matches.append(start..<start + literal.count)
          start += literal.count
        } else {
          start += 1
        }
      }
      return matches
    }
  }

  func replacing(in text: [Unicode.Scalar], by replacement: [Unicode.Scalar]) -> [Unicode.Scalar] {
    // A fast path: "▁" for every space, as in Llama 2, where a whole file may be one text.
    if case .literal(let literal) = self, literal.count == 1, replacement.count == 1 {
      return text.map { $0 == literal[0] ? replacement[0] : $0 }
    }
    var (result, end): ([Unicode.Scalar], Int) = ([], 0)
    for match in text.withUnsafeBufferPointer({ matches(in: $0) }) {
      result += text[end..<match.lowerBound]
      result += replacement
      end = match.upperBound
    }
    return result + text[end...]
  }
}
