import Apply
import Base

/// What a run uses for settings that were left to vpatch, and why.
package struct TrainingDefaults: Equatable, Sendable {
  /// A setting that is chosen by the model and the data.
  package enum Choice: Hashable, Sendable, CaseIterable {
    case learningRate
    case batch
    /// The number of steps.
    case length
  }

  package let learningRate: Double
  package let batch: Int
  /// At least `leastSteps`.
  package let steps: Int
  package let reasons: [Choice: String]

  /// Fewer steps seldom teach a skill: in docs/study.md, 40 to 60 taught the form of the answers first.
  package static let leastSteps = 100

  /// - Parameters:
  ///   - weights: of the whole model.
  ///   - rows: to train on.
  ///   - isByFactors: whether LoRA's factors are tuned.
  ///   - batch: rows per step, where it is given.
  package init(weights: Int, rows: Int, selection: Selection, isByFactors: Bool = false, batch given: Int? = nil) {
    let (rate, why) =
      isByFactors ? (2e-4, "the rate of QLoRA (arXiv 2305.14314) for factors") : Self.rate(weights, selection)
    learningRate = rate
    batch = given ?? (rows < Self.fewRows ? 8 : 16)
    let epoch = (rows + batch - 1) / max(1, batch)
    steps = max(Self.leastSteps, epoch)
    let epochs = Double(steps * batch) / Double(max(1, rows))
    reasons = [
      .learningRate: why,
      .batch: rows < Self.fewRows ? "small, since there are fewer than \(Self.fewRows) rows" : "as in arXiv 2510.08564",
      .length: steps == epoch
        ? "once over the data" : "\(Format.plain(epochs)) times over the data: fewer steps seldom teach a skill",
    ]
  }

  private static let fewRows = 320

  private static func rate(_ weights: Int, _ selection: Selection) -> (Double, String) {
    let isWhole: Bool = if case .recipe(let recipe) = selection { [.llm, .full].contains(recipe) } else { false }
    switch weights {
    case ..<1_000_000_000:
      return isWhole
        ? (2e-5, "the low rate of docs/study.md: a higher one made a whole small model forget")
        : (1e-4, "the rate of docs/study.md for small models")
    case ..<4_000_000_000: return (2e-5, "between the rates for small models and for those of 7B weights")
    default: return (5e-6, "the rate of arXiv 2510.08564 for models of 7B weights")
    }
  }
}

extension TrainingOptions {
  /// These options with the settings that were left to vpatch.
  func choosing(_ defaults: TrainingDefaults) -> TrainingOptions {
    var options = self
    if chosen.contains(.learningRate) { options.learningRate = defaults.learningRate }
    if chosen.contains(.batch) { options.batch = defaults.batch }
    if chosen.contains(.length) { options.steps = defaults.steps }
    return options
  }
}
