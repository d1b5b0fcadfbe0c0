import Base

/// How a patch was trained: what was tuned, on which data, with which settings, and how it went
/// (spec/vpatch-format.md, section 7.3).
package struct TrainingRecord: Equatable, Sendable {
  /// What was allowed to change.
  package enum Tuned: Equatable, Sendable {
    case recipe(String)
    /// The tensors whose names match a regular expression.
    case only(String)
  }

  /// A file of rows that was trained on.
  package struct DataSet: Equatable, Sendable {
    /// What people call it: the file's name, without its folder.
    package let name: String
    /// SHA-256 of the file.
    package let digest: ContentDigest
    package let rows: Int
    /// Of all rows, each once, as they were trained on.
    package let tokens: Int
    /// Those of them that the loss is taken over.
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

  package var tuned: Tuned
  /// The layers that were tuned, such as "0-5"; nil where all of the model's were.
  package var layers: String?
  package var data: [DataSet]
  /// Learning rate, schedule, batch, seed, … Plain values. `max_drift` is the budget of the drift.
  package var settings: [JSON.Member]
  /// What multiplied the matrices, since results depend on it in their last bits.
  package var kernels: String
  /// Steps that the patch's weights have behind them.
  package var steps: Int
  /// Tokens that were trained on in those steps.
  package var tokens: Int
  /// From the first step to the last, with what was measured in between.
  package var seconds: Double
  /// While stepping.
  package var tokensPerSecond: Double
  /// Why it ended before its last step, such as "max-drift"; nil where it did not.
  package var stopped: String?
  package var curve: TrainingCurve
  package var drift: DriftCurve?
  /// Members that this version does not know, kept as they are.
  package var others: [JSON.Member] = []

  package init(
    tuned: Tuned, layers: String? = nil, data: [DataSet], settings: [JSON.Member], kernels: String, steps: Int,
    tokens: Int, seconds: Double, tokensPerSecond: Double, stopped: String? = nil, curve: TrainingCurve,
    drift: DriftCurve? = nil
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
  }

  /// What the drift was not to pass, in nats a token; nil where nothing was asked for.
  package var driftBudget: Double? { settings.first { $0.key == "max_drift" }?.value.double }
}
