import Measure

/// What happens in a training run, as it happens.
public enum TrainingEvent: Sendable {
  case resumed(step: Int)
  case step(TrainingStep)
  case saved(step: Int)
  /// Something besides the learning went wrong, such as a full disk below the log; the run goes on.
  case trouble(String)
}

/// One step.
public struct TrainingStep: Equatable, Sendable {
  /// From 1 on.
  public let number: Int
  /// Steps in all.
  public let total: Int
  /// Mean over the batch's answer tokens, before the step's update, in nats.
  public let loss: Double
  /// The distillation's part of it.
  public let distillation: Double
  public let learningRate: Double
  /// Of all gradients, before clipping.
  public let gradientNorm: Double
  /// All tokens of the batch.
  public let tokens: Int
  /// Of the step alone.
  public let seconds: Double
  /// KL(base ‖ model) after the step's update, in nats a token, where it was measured.
  public internal(set) var drift: Estimate?

  public var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
