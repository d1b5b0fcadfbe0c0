import Base
import Measure

/// Whether the model's greedy answer begins with the letter of the right choice; choices are shown as "A. …". lmms-eval
/// asks AI2D and MMStar this way.
package struct OptionLetterTask: Sendable {
  /// The line after the choices; none if empty.
  package var instruction = "Answer with the option's letter from the given choices directly."
  /// Maximum number of tokens in an answer.
  package var maximumTokens = 16

  package init() {}

  init(_ table: inout TOMLReader) throws {
    instruction = try table.text("instruction") ?? instruction
    maximumTokens = try table.int("max_tokens", in: 1...65536) ?? maximumTokens
  }

  var settings: [JSON.Member] {
    // Choices and instruction are part of the items.
    [.init("max_tokens", JSON(maximumTokens))]
  }

  func run(_ run: TaskRun) throws -> TaskOutcome {
    let texts = try run.answers(limit: maximumTokens)
    let right = zip(run.task.items, texts).map { item, text in
      Self.letter(text).map(item.answers.contains) ?? false ? 1.0 : 0
    }
    return TaskOutcome(
      metrics: [
        .init(name: "acc_letter", unit: .share, higherIsBetter: true, scores: ItemScores(right, unit: .share))
      ],
      details: texts.map { .dictionary(["answer": .string($0)]) })
  }

  /// The letter that an answer begins with: "B", "b.", "(B)", "Option B", "The answer is B". A letter that continues as
  /// a word ("Blue") does not count.
  static func letter(_ answer: String) -> String? {
    let pattern = #/^\s*(?:option\s+|(?:the\s+)?answer(?:\s+is)?\s*:?\s*)?[\[(]?([a-z])(?![\p{L}\p{N}'’])/#
      .ignoresCase()
    return answer.firstMatch(of: pattern).map { String($0.output.1).uppercased() }
  }
}

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
