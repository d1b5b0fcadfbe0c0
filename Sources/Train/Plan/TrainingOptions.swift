import Apply
import Model

/// What a training run is told. The standards are those of arXiv 2510.08564.
public struct TrainingOptions: Equatable, Sendable {
  public enum Schedule: String, Sendable, CaseIterable { case constant, linear, cosine }

  public var selection: Selection
  /// Decoder layers that may change; nil for all.
  public var layers: ClosedRange<Int>?
  /// Steps, however often that repeats the data; nil: `epochs` decide.
  public var steps: Int?
  public var epochs = 1.0
  public var learningRate = 5e-6
  /// Of the vision tower, where that is tuned; nil: two fifths of the other, as 2e-6 beside 5e-6.
  public var visionLearningRate: Double?
  public var schedule = Schedule.cosine
  /// The share of the steps in which the learning rate rises to its full height.
  public var warmup = 0.03
  /// Rows a step.
  public var batch = 16
  /// Rows that go through the model together; nil: as many as make up 2,048 tokens.
  public var microBatch: Int?
  /// The gradient's norm is cut down to this; 0: never.
  public var clip = 1.0
  public var weightDecay = 0.0
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon = 1e-8
  public var seed: UInt64 = 0
  /// The rows of each epoch come in an order of chance, which follows from the seed.
  public var isShuffled = true
  public var compute = Compute.Precision.f32
  /// Layers are computed a second time on the way back instead of being kept.
  public var recomputes = false
  public var distillation: DistillationStrength?
  public var drift: DriftOptions?

  /// Learning without forgetting.
  public struct DistillationStrength: Equatable, Sendable {
    public var weight: Double
    public var temperature: Double

    public init(weight: Double, temperature: Double) {
      self.weight = weight
      self.temperature = temperature
    }
  }

  /// How KL(base ‖ model) on neutral text is watched.
  public struct DriftOptions: Equatable, Sendable {
    /// Nats a token; nil: it is measured, and nothing follows from it.
    public var budget: Double?
    /// Steps from one measurement to the next; nil: a tenth of all.
    public var every: Int?

    public init(budget: Double? = nil, every: Int? = nil) {
      self.budget = budget
      self.every = every
    }
  }

  public init(selection: Selection) { self.selection = selection }
}
