import Apply
import Model

/// What a training run is told. The standards are those of arXiv 2510.08564.
package struct TrainingOptions: Equatable, Sendable {
  package enum Schedule: String, Sendable, CaseIterable { case constant, linear, cosine }

  package var selection: Selection
  /// Decoder layers that may change; nil for all.
  package var layers: ClosedRange<Int>?
  /// Steps, however often that repeats the data; nil: `epochs` decide.
  package var steps: Int?
  package var epochs = 1.0
  package var learningRate = 5e-6
  /// Of the vision tower, where that is tuned; nil: two fifths of the other, as 2e-6 beside 5e-6.
  package var visionLearningRate: Double?
  package var schedule = Schedule.cosine
  /// The share of the steps in which the learning rate rises to its full height.
  package var warmup = 0.03
  /// Rows a step.
  package var batch = 16
  /// Rows that go through the model together; nil: as many as make up 2,048 tokens.
  package var microBatch: Int?
  /// The gradient's norm is cut down to this; 0: never.
  package var clip = 1.0
  package var weightDecay = 0.0
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  package var seed: UInt64 = 0
  /// The rows of each epoch come in an order of chance, which follows from the seed.
  package var isShuffled = true
  package var compute = Compute.Precision.f32
  /// Layers are computed a second time on the way back instead of being kept.
  package var recomputes = false
  package var distillation: DistillationStrength?
  package var drift: DriftOptions?

  /// Learning without forgetting.
  package struct DistillationStrength: Equatable, Sendable {
    package var weight: Double
    package var temperature: Double

    package init(weight: Double, temperature: Double) {
      self.weight = weight
      self.temperature = temperature
    }
  }

  /// How KL(base ‖ model) on neutral text is watched.
  package struct DriftOptions: Equatable, Sendable {
    /// Nats a token; nil: it is measured, and nothing follows from it.
    package var budget: Double?
    /// Steps from one measurement to the next; nil: a tenth of all.
    package var every: Int?

    package init(budget: Double? = nil, every: Int? = nil) {
      self.budget = budget
      self.every = every
    }
  }

  package init(selection: Selection) { self.selection = selection }
}
