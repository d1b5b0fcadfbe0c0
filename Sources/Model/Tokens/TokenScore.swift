/// A model's score of one token, given those before it.
package struct TokenScore: Equatable, Sendable {
  /// Natural logarithm of the token's probability.
  package let logProbability: Float
  /// Whether no other token is more probable.
  package let isGreedy: Bool

  package init(logProbability: Float, isGreedy: Bool) {
    self.logProbability = logProbability
    self.isGreedy = isGreedy
  }
}
