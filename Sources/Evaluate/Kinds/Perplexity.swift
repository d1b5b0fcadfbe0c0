import Base
import Glibc
import Measure
import Text

/// How well the model predicts documents, token by token, in sliding windows (`Window`). The items are the documents.
///
/// `perplexity` is the exponential of the mean loss per token. `bits_per_byte` is the total loss in bits divided by the
/// number of bytes, so that models with different vocabularies can be compared.
package struct PerplexityTask: TaskKind {
  package static let name = "perplexity"
  package enum Metric: String, Sendable, CaseIterable {
    case perplexity
    case bitsPerByte = "bits_per_byte"
  }

  /// Tokens per window.
  package var context = 1024
  /// Tokens from the start of one window to the start of the next.
  package var stride = 512
  package var metrics: [Metric] = [.perplexity]

  package init() {}

  package init(_ table: TOMLReader) throws {
    context = try table.optionalInt("context", in: 2...(1 << 20)) ?? context
    stride = try table.optionalInt("stride", in: 1...(1 << 20)) ?? max(1, context / 2)
    metrics = try table.optionalWords("metrics") ?? metrics
    guard stride < context else { throw table.error("has a \"stride\" that is not smaller than its \"context\"") }
    guard !metrics.isEmpty else { throw table.error("has no \"metrics\"") }
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(texts: true) }

  package var settings: [JSON.Member] { [.init("context", JSON(context)), .init("stride", JSON(stride))] }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
    var (tokens, bytes): ([Double], [Double]) = ([], [])
    var (sequences, owners, counted): ([TokenSequence], [Int], [Int]) = ([], [], [])
    for (i, item) in run.task.items.enumerated() {
      guard case .text(let text) = item.content else { preconditionFailure("perplexity of an item that is not text") }
      let ids = try run.tokenizer.encode(text, addingSpecialTokens: true)
      guard ids.count >= 2 else { throw run.error(i, "has fewer than two tokens; the first is not scored") }
      try run.check(length: min(context, ids.count), of: i)
      tokens.append(Double(ids.count - 1))
      // The first token is not scored, so its bytes do not count.
      bytes.append(Double(max(1, text.utf8.count - run.tokenizer.decode([ids[0]]).utf8.count)))
      for window in Window.over(ids.count, context: context, stride: stride) {
        sequences.append(TokenSequence(Array(ids[window.tokens])))
        owners.append(i)
        counted.append(window.scored.count)
      }
    }
    var losses = [Double](repeating: 0, count: tokens.count)
    for (scores, (owner, count)) in zip(try run.scores(of: sequences, items: owners), zip(owners, counted)) {
      losses[owner] -= scores.suffix(count).reduce(0) { $0 + Double($1.logProbability) }
    }
    for (i, loss) in losses.enumerated() { _ = try run.checked(loss, of: i) }
    return TaskOutcome(
      metrics: metrics.map { metric in
        switch metric {
        case .perplexity:
          .init(
            name: metric.rawValue, unit: .perplexity, higherIsBetter: false,
            scores: ItemScores(zip(losses, tokens).map { $0 / $1 }, weights: tokens, unit: .perplexity))
        case .bitsPerByte:
          .init(
            name: metric.rawValue, unit: .bits, higherIsBetter: false,
            scores: ItemScores(zip(losses, bytes).map { $0 / log(2) / $1 }, weights: bytes, unit: .bits))
        }
      })
  }
}
