import Apply
import Model

/// Hyperparameters of a training run. The defaults are those of arXiv 2510.08564; `chosen` replaces some of them.
package struct TrainingOptions: Equatable, Sendable {
  package enum Schedule: String, Sendable, CaseIterable { case constant, linear, cosine }

  package var selection: Selection
  /// Decoder layers to tune; nil: all.
  package var layers: ClosedRange<Int>?
  /// Number of steps, whatever the size of the data; nil: `epochs` decides.
  package var steps: Int?
  package var epochs = 1.0
  package var learningRate = 5e-6
  /// Learning rate of a tuned vision tower; nil: 0.4 of the other, as 2e-6 to 5e-6.
  package var visionLearningRate: Double?
  package var schedule = Schedule.cosine
  /// Fraction of steps in which the learning rate rises to its peak.
  package var warmup = 0.03
  /// Rows per step.
  package var batch = 16
  /// Rows per forward pass; nil: as many as fit into 2,048 tokens.
  package var microBatch: Int?
  /// Maximum gradient norm; 0: no clipping.
  package var clip = 1.0
  package var weightDecay = 0.0
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8
  package var seed: UInt64 = 0
  /// Whether each epoch's rows are shuffled, by the seed.
  package var isShuffled = true
  package var compute = Compute.Precision.f32
  /// What computes float32 products; nil for what is fastest on this processor.
  package var blas: Compute.BLAS?
  /// Recompute activations in the backward pass instead of keeping them (gradient checkpointing).
  package var recomputes = false
  package var distillation: DistillationStrength?
  /// Tune factors of the selected matrices instead of the matrices.
  package var lora: LoRAOptions?
  /// Settings that vpatch chooses by the model and the data (`TrainingDefaults`), whatever they are here.
  package var chosen: Set<TrainingDefaults.Choice> = []
  /// Stop after this many measurements of the validation loss without a new minimum, and take the weights of the
  /// minimum; nil: train to the end.
  package var patience: Int?
  /// Write the patch of a run that diverged, too.
  package var keepsDiverged = false
  package var drift: DriftOptions?

  /// Learning without forgetting (distillation from the base).
  package struct DistillationStrength: Equatable, Sendable {
    package var weight: Double
    package var temperature: Double

    package init(weight: Double, temperature: Double) {
      self.weight = weight
      self.temperature = temperature
    }
  }

  /// How KL(base ‖ model) on neutral text is monitored.
  package struct DriftOptions: Equatable, Sendable {
    /// Nats per token; nil: measured, without a limit.
    package var budget: Double?
    /// Steps between measurements; nil: a tenth of all steps.
    package var every: Int?

    package init(budget: Double? = nil, every: Int? = nil) {
      self.budget = budget
      self.every = every
    }
  }

  package init(selection: Selection) { self.selection = selection }
}
