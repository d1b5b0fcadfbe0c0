/// What a model thinks of one token, given those before it.
public struct TokenScore: Equatable, Sendable {
  /// Natural logarithm of its probability.
  public let logProbability: Float
  /// Whether no other token is more probable.
  public let isGreedy: Bool

  public init(logProbability: Float, isGreedy: Bool) {
    self.logProbability = logProbability
    self.isGreedy = isGreedy
  }
}
