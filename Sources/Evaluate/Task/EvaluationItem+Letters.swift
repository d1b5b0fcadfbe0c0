extension EvaluationItem {
  static let letters = (UInt8(ascii: "A")...UInt8(ascii: "Z")).map { String(UnicodeScalar($0)) }

  /// The item with its choices listed by letter after the question, one per line, and the letters of the right ones as
  /// answers.
  /// - Parameter instruction: the line after the choices; none if empty.
  package func byLetter(_ instruction: String) -> EvaluationItem {
    precondition(choices.count <= Self.letters.count, "more choices than letters")
    let lines =
      zip(Self.letters, choices).map { "\n\($0). \($1)" }.joined() + (instruction.isEmpty ? "" : "\n\(instruction)")
    let shown: Content =
      switch content {
      case .text(let text): .text(text + lines)
      case .question(let parts): .question((parts + [.text(lines)]).joinedTexts)
      case .messages(let messages):
        .messages(
          messages.dropLast() + messages.suffix(1).map { $0.with(($0.parts + [.text(lines)]).joinedTexts) })
      }
    return EvaluationItem(shown, answers: correct.map { Self.letters[$0] }, images: images)
  }
}
