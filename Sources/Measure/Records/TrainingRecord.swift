import Base

/// How a patch was trained: tuned components, data, settings and results (spec/vpatch-format.md, section 7.3).
package struct TrainingRecord: Equatable, Sendable {
  /// The tensors that were tuned.
  package enum Tuned: Equatable, Sendable {
    case recipe(String)
    /// The tensors whose names match a regular expression.
    case only(String)
  }

  /// A data file used for training.
  package struct DataSet: Equatable, Sendable {
    /// The file's name, without its folder.
    package let name: String
    /// SHA-256 of the file.
    package let digest: ContentDigest
    package let rows: Int
    /// Tokens of all rows, each counted once, after cutting.
    package let tokens: Int
    /// Those of them that count in the loss.
    package let answerTokens: Int
    /// Rows that were too long, and were cut.
    package let cut: Int

    package init(name: String, digest: ContentDigest, rows: Int, tokens: Int, answerTokens: Int, cut: Int) {
      self.name = name
      self.digest = digest
      self.rows = rows
      self.tokens = tokens
      self.answerTokens = answerTokens
      self.cut = cut
    }
  }

  /// A prompt of the data, and what the model answers without the patch and with it.
  package struct Sample: Equatable, Sendable {
    package let prompt: String
    /// The answer in the data.
    package let expected: String
    package let before: String
    package let after: String

    package init(prompt: String, expected: String, before: String, after: String) {
      self.prompt = prompt
      self.expected = expected
      self.before = before
      self.after = after
    }
  }

  package var tuned: Tuned
  /// The tuned layers, such as "0-5"; nil: all.
  package var layers: String?
  package var data: [DataSet]
  /// Learning rate, schedule, batch, seed, … Plain values. `max_drift` is the drift budget.
  package var settings: [JSON.Member]
  /// Kernels of the matrix products; results depend on them in the last bits.
  package var kernels: String
  /// Steps after which the patch's weights were taken.
  package var steps: Int
  /// Tokens trained on in those steps.
  package var tokens: Int
  /// From the first step to the last, including measurements.
  package var seconds: Double
  /// Over the time spent in steps.
  package var tokensPerSecond: Double
  /// Why training ended before its last step, such as "max-drift"; nil otherwise.
  package var stopped: String?
  package var curve: TrainingCurve
  package var drift: DriftCurve?
  package var validation: ValidationCurve?
  package var samples: [Sample] = []
  /// Members unknown to this version, preserved.
  package var others: [JSON.Member] = []

  package init(
    tuned: Tuned, layers: String? = nil, data: [DataSet], settings: [JSON.Member], kernels: String, steps: Int,
    tokens: Int, seconds: Double, tokensPerSecond: Double, stopped: String? = nil, curve: TrainingCurve,
    drift: DriftCurve? = nil, validation: ValidationCurve? = nil
  ) {
    self.tuned = tuned
    self.layers = layers
    self.data = data
    self.settings = settings
    self.kernels = kernels
    self.steps = steps
    self.tokens = tokens
    self.seconds = seconds
    self.tokensPerSecond = tokensPerSecond
    self.stopped = stopped
    self.curve = curve
    self.drift = drift
    self.validation = validation
  }

  /// The drift budget in nats per token; nil if none was set.
  package var driftBudget: Double? { settings.first { $0.key == "max_drift" }?.value.double }
}
