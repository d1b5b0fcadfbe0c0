import Base
import Measure

/// Whether the model's greedy answer begins with the letter of the right choice; choices are shown as "A. …". lmms-eval
/// asks AI2D and MMStar this way.
package struct OptionLetterTask: TaskKind {
  package static let name = "option-letter"
  /// The line after the choices; none if empty.
  package var instruction = "Answer with the option's letter from the given choices directly."
  /// Maximum number of tokens in an answer.
  package var maximumTokens = 16

  package init() {}

  package init(_ table: TOMLReader) throws {
    instruction = try table.optionalString("instruction") ?? instruction
    maximumTokens = try table.optionalInt("max_tokens", in: 1...65536) ?? maximumTokens
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(prompts: true, choices: true, letters: instruction) }

  package var settings: [JSON.Member] {
    // Choices and instruction are part of the items.
    [.init("max_tokens", JSON(maximumTokens))]
  }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
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
