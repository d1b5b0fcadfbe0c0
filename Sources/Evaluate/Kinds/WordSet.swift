import Base

/// A set of words whose vocabulary entries are counted.
package enum WordSet: Sendable, Equatable {
  /// Numbers in digits and in words.
  case numbers
  /// Entries that equal one of these, ignoring case.
  case list([String])

  /// Whether an entry is one of the words, without white space and word markers around it.
  ///
  /// Numbers are: ASCII digits; digits with one point among, before or after them; digits with one comma likewise;
  /// ordinals (digits with st, nd, rd, th); zero … twenty, thirty … ninety, hundred, thousand, million, billion in any
  /// case. This is the counting probe of "How to Teach Large Multimodal Models New Skills" (arXiv 2510.08564).
  package func contains(_ entry: String) -> Bool {
    let word = Self.stripped(entry)
    switch self {
    case .list(let words):
      let lower = word.lowercased()
      return words.contains { $0.lowercased().isSame(as: lower) }
    case .numbers: return Self.isNumber(word)
    }
  }

  var json: JSON {
    switch self {
    case .numbers: "numbers"
    case .list(let words): .array(words.map { .string($0) })
    }
  }

  /// Without white space, and the characters "▁" and "Ġ" that vocabularies write for a space, at its ends.
  private static func stripped(_ entry: String) -> String {
    func isMark(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || scalar == "\u{2581}" || scalar == "\u{0120}"
    }
    let rest = entry.unicodeScalars.drop(while: isMark)
    return String(String.UnicodeScalarView(rest.reversed().drop(while: isMark).reversed()))
  }

  private static let names: Set<String> = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
    "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "billion",
  ]

  private static func isNumber(_ word: String) -> Bool {
    let lower = word.lowercased()
    let digits = lower.utf8.count { (0x30...0x39).contains($0) }
    guard digits > 0 else { return names.contains(lower) }
    switch lower.utf8.count - digits {
    case 0: return true
    case 1: return lower.utf8.contains(UInt8(ascii: ".")) || lower.utf8.contains(UInt8(ascii: ","))
    case 2:
      return ["st", "nd", "rd", "th"].contains { lower.hasSuffix($0) }
    default: return false
    }
  }
}
