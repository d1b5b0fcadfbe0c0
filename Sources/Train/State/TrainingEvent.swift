import Measure

/// What happens in a training run, as it happens.
package enum TrainingEvent: Sendable {
  case resumed(step: Int)
  case step(TrainingStep)
  case saved(step: Int)
  /// Something besides the learning went wrong, such as a full disk below the log; the run goes on.
  case trouble(String)
}

/// One step.
package struct TrainingStep: Equatable, Sendable {
  /// From 1 on.
  package let number: Int
  /// Steps in all.
  package let total: Int
  /// Mean over the batch's answer tokens, before the step's update, in nats.
  package let loss: Double
  /// The distillation's part of it.
  package let distillation: Double
  package let learningRate: Double
  /// Of all gradients, before clipping.
  package let gradientNorm: Double
  /// All tokens of the batch.
  package let tokens: Int
  /// Of the step alone.
  package let seconds: Double
  /// KL(base ‖ model) after the step's update, in nats a token, where it was measured.
  package internal(set) var drift: Estimate?

  package var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
