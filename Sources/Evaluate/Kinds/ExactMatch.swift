import Base
import Measure

/// Whether the model's greedy answer equals one of the right ones after both are normalized.
package struct ExactMatchTask: TaskKind {
  package static let name = "exact-match"
  package var answer = AnswerForm()
  /// Maximum number of tokens in an answer.
  package var maximumTokens = 32
  /// An answer ends before the first of these.
  package var stop: [String] = []

  package init() {}

  package init(_ table: TOMLReader) throws {
    answer.part = try table.optionalWord("take") ?? answer.part
    answer.ignored = try table.optionalWords("ignore") ?? answer.ignored
    maximumTokens = try table.optionalInt("max_tokens", in: 1...65536) ?? maximumTokens
    stop = try table.optionalStrings("stop") ?? stop
    guard !stop.contains("") else { throw table.error("has an empty text in \"stop\"") }
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(prompts: true, answer: true) }

  package var settings: [JSON.Member] {
    [
      .init("max_tokens", JSON(maximumTokens)), .init("take", .string(answer.part.rawValue)),
      .init("ignore", .array(answer.ignored.map { .string($0.rawValue) })),
      .init("stop", .array(stop.map { .string($0) })),
    ]
  }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
    let ends = run.tokenizer.endTokens.union(try stopTokens(run))
    let answers = try run.continueGreedily(try run.prompts(room: maximumTokens), stop: ends, limit: maximumTokens)
    let texts = answers.map { cut(run.tokenizer.decode($0)) }
    let right = zip(run.task.items, texts).map { item, text in
      let given = answer.normalized(text)
      return item.answers.contains { answer.normalized($0).isSame(as: given) } ? 1.0 : 0
    }
    return TaskOutcome(
      metrics: [
        .init(name: "exact_match", unit: .share, higherIsBetter: true, scores: ItemScores(right, unit: .share))
      ],
      details: texts.map { .dictionary(["answer": .string($0)]) })
  }

  /// Tokens that begin with a stop text: generation can end there, since nothing after them belongs to the answer.
  private func stopTokens(_ run: TaskRun) throws -> Set<Int32> {
    guard !stop.isEmpty else { return [] }
    return Set(
      (0..<Int32(run.model.vocabularySize)).filter { id in
        let text = run.tokenizer.decode([id])
        return stop.contains { text.utf8.starts(with: $0.utf8) }
      })
  }

  /// The text up to the first stop text in it.
  private func cut(_ text: String) -> String {
    let ends = stop.compactMap { Array(text.utf8).firstIndex(of: Array($0.utf8)) }
    return ends.min().map { String(decoding: text.utf8.prefix($0), as: UTF8.self) } ?? text
  }
}

extension [UInt8] {
  /// The first position at which the other bytes occur.
  fileprivate func firstIndex(of other: [UInt8]) -> Int? {
    guard other.count <= count else { return nil }
    return (0...count - other.count).first { self[$0..<$0 + other.count].elementsEqual(other) }
  }
}
