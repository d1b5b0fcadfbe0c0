import Glibc
import Measure
import Model
import Text

/// Measures drift: KL(base ‖ model) on neutral text, in nats per token.
struct DriftMeter {
  private let held: HeldTexts

  /// - Parameters:
  ///   - base: has a `Compute` of its own.
  ///   - texts: at least two.
  init(base: LanguageModel, texts: [TokenSequence]) throws {
    precondition(texts.count > 1, "a confidence interval needs at least two texts")
    held = try base.hold(texts)
  }

  /// Mean over all tokens, with a confidence interval from the differences between texts: the ratio estimator of
  /// Cochran, Sampling Techniques, 3rd edition, section 2.11, with each text as a cluster of tokens.
  func measure(_ model: LanguageModel) throws -> Estimate {
    let texts = try model.divergences(from: held)
    let sums = texts.map { (kl: $0.reduce(0, +), tokens: Double($0.count)) }
    let (kl, tokens) = sums.reduce((0.0, 0.0)) { ($0.0 + $1.kl, $0.1 + $1.tokens) }
    let (mean, count) = (kl / max(1, tokens), Double(sums.count))
    let squares = sums.reduce(0) { $0 + pow($1.kl - mean * $1.tokens, 2) }
    let error = (squares / (count * (count - 1))).squareRoot() / (tokens / count)
    let half = Normal.z95 * error
    return Estimate(mean, low: max(0, mean - half), high: mean + half)
  }
}
