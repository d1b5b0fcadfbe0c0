/// The part of an answer that is compared, and the differences that are ignored.
package struct AnswerForm: Sendable, Equatable {
  package enum Part: String, Sendable, CaseIterable {
    /// The whole answer.
    case all
    /// The first line that is not blank.
    case line
    /// The first number in digits, such as "-1,234.5", without its commas.
    case number
  }

  package enum Ignored: String, Sendable, CaseIterable {
    /// Upper and lower case.
    case letterCase = "case"
    /// All but letters, digits and white space, by Unicode's categories.
    case punctuation
    /// The words a, an, the.
    case articles
  }

  package var part = Part.all
  package var ignored: [Ignored] = []

  package init() {}

  /// Normalizes a text for comparison. White space at the ends is dropped; between words it becomes one space.
  package func normalized(_ text: String) -> String {
    var text = taken(text)
    if ignored.contains(.letterCase) { text = text.lowercased() }
    if ignored.contains(.punctuation) {
      text.unicodeScalars.removeAll {
        !$0.properties.isAlphabetic && $0.properties.numericType == nil && !$0.properties.isWhitespace
      }
    }
    var words = text.split(whereSeparator: \.isWhitespace)
    if ignored.contains(.articles) { words.removeAll { ["a", "an", "the"].contains($0.lowercased()) } }
    return words.joined(separator: " ")
  }

  private func taken(_ text: String) -> String {
    switch part {
    case .all: text
    case .line: text.split(whereSeparator: \.isNewline).first { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? ""
    case .number:
      text.firstMatch(of: #/-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?/#).map { $0.output.filter { $0 != "," } } ?? ""
    }
  }
}
