import Base
import Glibc
import Measure

/// Probability mass on a set of words during greedy generation: the counting-bias probe for number words, and its
/// general form. Per step, the mass is Σ p(v) over the tokens of the set. It is averaged over the steps (that at which
/// the answer ends included), then over the items.
package struct MassTask: TaskKind {
  package static let name = "mass"
  package var words = WordSet.numbers
  /// Maximum number of steps.
  package var maximumTokens = 32

  package init() {}

  package init(_ table: TOMLReader) throws {
    if let list = try table.optionalStrings("words") {
      words = .list(list)
      guard !list.isEmpty, !list.contains("") else {
        throw table.error("has an empty list of \"words\", or an empty word")
      }
    }
    maximumTokens = try table.optionalInt("max_tokens", in: 1...65536) ?? maximumTokens
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(prompts: true) }

  package var settings: [JSON.Member] { [.init("max_tokens", JSON(maximumTokens)), .init("words", words.json)] }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
    let tokens = (0..<Int32(run.model.vocabularySize)).filter { id in
      run.tokenizer.entry(id).map(words.contains) ?? false
    }
    guard !tokens.isEmpty else {
      throw VPatchError(
        .refused, "the task \(run.task.name)", "has no word that is a token of the model",
        remedy: "give words that are single tokens of the vocabulary")
    }
    var sums = [Double](repeating: 0, count: run.task.items.count)
    var steps = [Int](repeating: 0, count: sums.count)
    let answers = try run.continueGreedily(
      try run.prompts(room: maximumTokens), stop: run.tokenizer.endTokens, limit: maximumTokens
    ) { item, values in
      sums[item] += tokens.reduce(0.0) { $0 + Double(expf(values[Int($1)])) }
      steps[item] += 1
    }
    // Rounding may lead to slightly more than one.
    let masses = try sums.indices.map { min(1, try run.checked(sums[$0] / Double(steps[$0]), of: $0)) }
    return TaskOutcome(
      metrics: [
        .init(name: "mass", unit: .probability, higherIsBetter: false, scores: ItemScores(masses, unit: .probability))
      ],
      details: answers.map { .dictionary(["answer": .string(run.tokenizer.decode($0))]) })
  }
}
