import Model
import Text

/// Measures the loss on rows that are not trained on.
struct ValidationMeter {
  private let examples: [Example]
  private let batches: [Range<Int>]

  /// - Parameter examples: each has at least one answer token.
  init(_ examples: [Example]) {
    self.examples = examples
    batches = Batches.split(examples.map(\.ids.count), limit: MicroBatches.tokens)
  }

  /// Mean over all answer tokens, in nats.
  func measure(_ model: LanguageModel) throws -> Double {
    var (sum, count) = (0.0, 0)
    for batch in batches {
      for (example, scores) in zip(examples[batch], try model.scores(of: examples[batch].map(\.sequence))) {
        for (label, score) in zip(example.labels.dropFirst(), scores) where label != Example.ignored {
          sum -= Double(score.logProbability)
          count += 1
        }
      }
    }
    return sum / Double(max(1, count))
  }
}
