import Base
import Dispatch
import Measure
import Model
import Text

/// Tunes the tensors of a plan on examples.
///
/// The result depends only on options, examples, the base's weights and the kernels: repeating a run gives the same
/// weights, with any number of threads, and even if it is killed and resumed.
package final class TrainingRun {
  package let model: LanguageModel
  package let plan: TuningPlan
  package let options: TrainingOptions
  package let totalSteps: Int
  /// Peak memory of the run.
  package let memory: MemoryEstimate
  let examples: [Example]
  private let order: BatchOrder
  private let optimizer: AdamW
  private let shares: [Double]
  private let neutral: [TokenSequence]
  package let validation: [Example]
  private let rowNames: [String]
  /// Where and how often the state is saved.
  let store: TrainingStateFile?
  private let saveEvery: Int
  /// The steps whose state could not be saved, and the first error.
  var unsaved: (steps: [Int], error: VPatchError)?
  private lazy var base = Result { try model.frozen() }

  var state: TrainingState

  /// An upper bound: years of steps.
  private static let mostSteps = 1e9

  /// - Parameters:
  ///   - plan: of these options; nil to make it here.
  ///   - examples: each has at least one answer token.
  ///   - rowNames: names of the examples in messages; if empty, their numbers.
  ///   - neutral: texts for measuring drift; at least two if the options ask for it.
  ///   - validation: rows to measure the loss on; each has at least one answer token.
  ///   - stateFolder: folder of the state; a run resumes from an existing one.
  ///   - saveEvery: in steps.
  /// - Throws: `refused` if the state in the folder is of another run, or no tensor is selected.
  package init(
    _ model: LanguageModel, _ options: TrainingOptions, plan: TuningPlan? = nil, examples: [Example],
    rowNames: [String] = [],
    neutral: [TokenSequence] = [], validation: [Example] = [], stateFolder: String? = nil, saveEvery: Int = 100,
    identity: JSON = .null
  ) throws {
    precondition(!examples.isEmpty && examples.allSatisfy { $0.answerTokens > 0 }, "rows without answers")
    self.model = model
    self.options = options
    self.examples = examples
    self.neutral = neutral
    self.validation = validation
    self.rowNames = rowNames.isEmpty ? examples.indices.map { "row \($0 + 1)" } : rowNames
    self.saveEvery = max(1, saveEvery)
    self.plan = try plan ?? TuningPlan(model, options)
    order = BatchOrder(
      rows: examples.count, batch: min(options.batch, examples.count), seed: options.seed,
      isShuffled: options.isShuffled)
    // The order matters: if one operand is NaN, `max` returns the first.
    let steps = options.steps.map(Double.init) ?? max((options.epochs * Double(order.stepsPerEpoch)).rounded(), 1)
    guard (1...Self.mostSteps).contains(steps) else {
      throw VPatchError(
        .refused, nil, "a run cannot have \(Format.plain(steps)) steps",
        remedy: "ask for 1 to \(Format.grouped(Int(Self.mostSteps)))")
    }
    totalSteps = Int(steps)
    optimizer = AdamW(options: options, compute: model.compute)
    shares = self.plan.learningRateShares(options)
    store = try stateFolder.map { try TrainingStateFile(folder: $0, identity: identity) }
    state = TrainingState()
    memory = try MemoryEstimate(
      model, tuned: self.plan.parameters, changing: self.plan.targets, isByFactors: !self.plan.factors.isEmpty,
      tokens: MicroBatches.largest(examples, batch: order.batch, rows: options.microBatch),
      images: MicroBatches.richest(examples, rows: options.microBatch, token: model.imageToken).map(\.sequence),
      keeping: options.recomputes ? .inputs : .activations,
      models: options.distillation == nil && options.drift == nil ? 1 : 2,
      copies: max(
        options.drift.map { $0.budget == nil ? 1 : 2 } ?? 0,
        validation.isEmpty ? 0 : options.patience == nil ? 1 : 2))
  }

  /// Steps done, tokens read, and why the run stopped early, if it did.
  package var progress: (step: Int, tokens: Int, stopped: String?) { (state.step, state.tokens, state.stopped) }

  /// Trains to the end. A state that cannot be saved does not end the run, whose weights exist only in memory: the
  /// error is reported to `observe` and is among the warnings.
  /// - Parameter observe: called for every step. Throwing stops the run; it can be resumed from the last saved state.
  /// - Throws: `mismatch` if loss or drift is not finite; the folder keeps the state saved last, or gets the one before
  ///   that step if none was saved.
  package func run(_ observe: (TrainingEvent) throws -> Void) throws {
    plan.beginTuning()
    if let store, let saved = try store.read(into: plan.parameters) {
      state = saved
      try observe(.resumed(step: state.step))
    }
    let meter = try options.drift.map { _ in try DriftMeter(base: base.get(), texts: neutral) }
    if meter != nil, state.drift.isEmpty { note(drift: Estimate(0, low: 0, high: 0)) }
    let validator = validation.isEmpty ? nil : ValidationMeter(validation)
    if let validator, state.validation.isEmpty { note(validation: try rounded { try validator.measure(model) }) }
    while state.step < totalSteps, state.stopped == nil {
      let started = DispatchTime.now().uptimeNanoseconds
      var step = try advance(started)
      if let meter, state.step % driftEvery == 0 || state.step == totalSteps {
        let drift = try rounded { try meter.measure(model) }
        guard drift.high.isFinite else {
          throw try divergence(
            "after step \(state.step) the drift \(Self.words(drift.high))", order.rows(ofStep: state.step - 1))
        }
        step.drift = drift
        note(drift: drift)
      }
      if let validator, state.step % measureEvery == 0 || state.step == totalSteps {
        let loss = try rounded { try validator.measure(model) }
        guard loss.isFinite else {
          throw try divergence(
            "after step \(state.step) the validation loss \(Self.words(loss))", order.rows(ofStep: state.step - 1))
        }
        step.validation = loss
        note(validation: loss)
      }
      try observe(.step(step))
      if state.step % saveEvery == 0 || state.step == totalSteps, let event = save() { try observe(event) }
    }
    // At its end, a run with early stopping has the weights of the lowest validation loss too.
    if options.patience != nil, state.stopped == nil, let inside = state.inside, inside.step < state.step {
      state.stopped = Self.stoppedEarly
    }
    if let inside = state.inside, state.stopped != nil { inside.restore(plan.parameters) }
  }

  private var driftEvery: Int { options.drift?.every ?? measureEvery }
  /// Ten measurements per run.
  private var measureEvery: Int { max(1, totalSteps / 10) }

  /// The word in the record for a run that ended with the weights of its lowest validation loss.
  static let stoppedEarly = "early-stop"

  /// Notes in the record that the run diverged. Its weights are those after its last step.
  func keepDiverged() {
    state.stopped = "diverged"
    state.inside = nil
  }

  // MARK: A step

  private func advance(_ started: UInt64) throws -> TrainingStep {
    let rows = order.rows(ofStep: state.step)
    let batch = rows.map { examples[$0] }
    let targets = batch.reduce(0) { $0 + $1.answerTokens }
    var loss = LanguageModel.Loss()
    let distillation = try options.distillation.map {
      LanguageModel.Distillation(base: try base.get(), weight: Float($0.weight), temperature: Float($0.temperature))
    }
    let dropout = options.lora.flatMap { lora in
      lora.dropout > 0 ? Dropout(probability: lora.dropout, seed: options.seed, step: state.step) : nil
    }
    let longest = batch.map(\.ids.count).max() ?? 0
    var first = 0
    for portion in MicroBatches.split(batch, rows: options.microBatch) {
      loss += try model.addGradients(
        portion, targets: targets, length: longest, keeping: options.recomputes ? .inputs : .activations,
        dropout: dropout.map { ($0, first) }, distillation: distillation)
      first += portion.count
    }
    let norm = try optimizer.gradientNorm(plan.parameters)
    guard loss.mean.isFinite else {
      throw try divergence("at step \(state.step + 1) the loss \(Self.words(loss.mean))", rows)
    }
    guard norm.isFinite else {
      throw try divergence("at step \(state.step + 1) the gradients' norm \(Self.words(norm))", rows)
    }
    let rate = options.learningRate(step: state.step, of: totalSteps)
    optimizer.step(plan.parameters, number: state.step + 1, learningRate: rate, shares: shares, norm: norm)
    let step = TrainingStep(
      number: state.step + 1, total: totalSteps, loss: loss.mean,
      distillation: loss.distillation / Double(max(1, loss.tokens)), learningRate: rate, gradientNorm: norm,
      tokens: batch.reduce(0) { $0 + $1.ids.count },
      seconds: Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9)
    state.add(step)
    return step
  }

  private static func words(_ value: Double) -> String { value.isNaN ? "is not a number" : "is infinite" }

  /// A state saved earlier is kept, since finite losses followed it. The present state is written if there is none.
  private func divergence(_ what: String, _ rows: [Int]) throws -> VPatchError {
    var kept = ""
    if let store {
      // A failure to save must not hide this error.
      if try store.savedStep() == nil { _ = save() }
      kept = (try? store.savedStep()).map { "; the state after step \($0) is in \(store.path)" } ?? ""
    }
    let names = rows.prefix(8).map { rowNames[$0] }.joined(separator: ", ") + (rows.count > 8 ? ", …" : "")
    return VPatchError(
      .mismatch, nil, "training diverged: \(what), with \(names)\(kept)",
      remedy: "start again with a lower --lr, a longer --warmup or a smaller --clip, or check those rows; "
        + "--keep-diverged writes the patch of the steps before", detail: .diverged)
  }

  // MARK: Drift

  private func rounded<T>(_ body: () throws -> T) rethrows -> T {
    try plan.rounded(step: state.step, model.compute, body)
  }

  /// Notes the loss on the validation rows and decides whether to stop.
  func note(validation loss: Double) {
    let lowest = state.validation.min { $0.loss < $1.loss }
    state.validation.append(.init(step: state.step, loss: loss))
    guard let patience = options.patience, state.stopped == nil else { return }
    if loss < lowest?.loss ?? .infinity {
      state.inside = TunedSnapshot(plan.parameters, step: state.step)
    } else if let lowest, state.validation.count(where: { $0.step > lowest.step }) >= patience {
      state.stopped = Self.stoppedEarly
    }
  }

  private func note(drift: Estimate) {
    state.drift.append(.init(step: state.step, drift: drift))
    guard let budget = options.drift?.budget else { return }
    if drift.value <= budget {
      guard options.patience == nil else { return }
      state.inside = TunedSnapshot(plan.parameters, step: state.step)
    } else {
      state.stopped = "max-drift"
    }
  }
}
