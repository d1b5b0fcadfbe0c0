import Measure

/// Events of a training run.
package enum TrainingEvent: Sendable {
  case resumed(step: Int)
  case step(TrainingStep)
  case saved(step: Int)
  /// A problem that does not end the run, such as a full disk below the log.
  case trouble(String)
}

/// One step.
package struct TrainingStep: Equatable, Sendable {
  /// From 1.
  package let number: Int
  /// Total number of steps.
  package let total: Int
  /// Mean over the batch's answer tokens, before the step's update, in nats.
  package let loss: Double
  /// The part of the loss that is distillation.
  package let distillation: Double
  package let learningRate: Double
  /// L2 norm of all gradients, before clipping.
  package let gradientNorm: Double
  /// All tokens of the batch, prompts included.
  package let tokens: Int
  /// Of this step.
  package let seconds: Double
  /// KL(base ‖ model) after the step's update, in nats per token; nil if not measured at this step.
  package internal(set) var drift: Estimate?
  /// The loss on the validation rows after the step's update, in nats; nil if not measured at this step.
  package internal(set) var validation: Double?

  package var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
