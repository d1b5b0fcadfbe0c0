import Apply
import Base
import Dispatch
import Evaluate
import Measure
import Model
import PatchFormat

extension TrainingJob {
  /// The outcome of training.
  package struct Result: Sendable {
    package let header: PatchHeader
    package let record: TrainingRecord
    /// Forgetting records from the suite; empty without one.
    package let measured: [ForgettingRecord]
    package let notes: [String]
    /// Why the patch could not be measured after it was written, or its records not bound to it.
    package let failure: VPatchError?
  }

  /// Progress of the evaluation.
  package typealias Report = (_ task: String, _ done: Int, _ items: Int) -> Void

  /// Measures the base, trains, writes the patch, measures the patched model, and binds the records to the patch.
  /// - Parameters:
  ///   - replacing: whether an existing file is replaced.
  ///   - annotations: of the patch; the training record is added.
  ///   - keep: saves the patch elsewhere if its file cannot be written; if that fails too, a temporary folder is used.
  ///   - observe: called for every step. Throwing stops the run; it can be resumed from the last saved state.
  /// - Throws: `refused` if the patch would be empty; `io`, before the first step, if patch, state or log cannot be
  ///   written.
  package func train(
    to path: String, replacing: Bool = false, annotations: JSON, otherwise keep: Fallback? = nil,
    report: @escaping Report = { _, _, _ in }, _ observe: (TrainingEvent) throws -> Void
  ) throws -> Result {
    try OutputFile.requireRoom(for: path, bytes: run.largestPatch)
    try run.requireRoom()
    let log = try inputs.log.map { try TrainingLog(path: $0, kernels: model.compute.kernels) }
    let before = try inputs.suite.map { suite in
      let base = try model.frozen()
      return try evaluation(suite) { report("\($0), base", $1, $2) }.results(
        of: base, name: inputs.base.path, root: baseRoot, against: .itself)
    }
    let started = DispatchTime.now().uptimeNanoseconds
    do {
      try run.run { event in
        if case .step(let step) = event, let trouble = log?.write(step) { try observe(.trouble(trouble)) }
        try observe(event)
      }
    } catch {
      // A base that was written to explains a loss that is not finite.
      throw baseChange() ?? error
    }
    if let change = baseChange() { throw change }
    try checkDriftBudget()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
    let record = run.record(data: dataSets, settings: Self.settings(options, inputs), seconds: seconds)
    let noted = record.replacing(in: annotations)
    let header = try write(to: path, otherwise: keep) { path in
      try run.writePatch(to: path, replacing: replacing, over: fingerprints, annotations: noted, work: work)
    }
    run.endTuning()
    let notes = run.notes + [log?.note].compactMap(\.self)
    guard let suite = inputs.suite, let before else {
      return Result(header: header, record: record, measured: [], notes: notes, failure: nil)
    }
    // The patch exists from here on, so later errors say where it is.
    do {
      let patch = try Patch(path: path, threads: work.threads)
      let outcome = try measure(patch, suite, before, report)
      let failure = Self.failure(path) {
        try patch.write(annotations: outcome.records.replacing(in: patch.annotations), to: path, replacing: true)
      }
      return Result(
        header: header, record: record, measured: outcome.records, notes: notes + outcome.notes,
        failure: failure)
    } catch {
      return Result(
        header: header, record: record, measured: [], notes: notes, failure: Self.failure(path) { throw error })
    }
  }

  /// The error for a base that was written to during training: the patch would match neither the old nor the new
  /// weights. A folder that was moved or deleted is unaffected, since its files stay open.
  private func baseChange() -> VPatchError? {
    let changed = inputs.base.checkpoint.files.first { (try? $0.input.hasSameBytes()) != true }
    return changed.map {
      VPatchError(
        .io, $0.input.path, "was changed during training",
        remedy: "train again while no other process writes to it")
    }
  }

  private static func failure(_ path: String, _ body: () throws -> Void) -> VPatchError? {
    do {
      try body()
      return nil
    } catch {
      let error = error as? VPatchError ?? VPatchError(.io, path, "\(error)")
      return VPatchError(
        error.code, error.subject, error.reason,
        remedy: "the patch was written without the suite's records; "
          + "'vpatch eval BASE --patch \(path) --suite SUITE --record' adds them")
    }
  }

  /// If the drift exceeded its budget at the first measurement, no weights but the base's are within it.
  private func checkDriftBudget() throws {
    let state = run.state
    guard state.stopped != nil, state.inside?.step == 0, let first = state.drift.dropFirst().first,
      let budget = options.drift?.budget
    else { return }
    throw VPatchError(
      .refused, nil,
      "the drift exceeded its budget of \(Format.significant(budget)) at its first measurement: "
        + "\(Format.significant(first.drift.value)) after step \(first.step), so no trained weights are within it",
      remedy: "use a lower --lr, a larger --max-drift, or a smaller --drift-every")
  }

  /// Measures exactly the patch's weights: rounded, and decoded from its file.
  private func measure(
    _ patch: Patch, _ suite: Suite, _ before: SuiteResults, _ report: @escaping Report
  ) throws -> ResultsComparison.Outcome {
    let view = ModelView(inputs.base.checkpoint, inputs.base.steps + [PatchStep(patch, .forward)])
    let tuned = try LanguageModel(
      view, compute: Compute(threads: work.threads, precision: options.compute), features: inputs.features)
    let base = try model.frozen()
    let after = try evaluation(suite, report).results(
      of: tuned, name: patch.label, root: patch.header.targetRoot, against: .base(base, root: baseRoot))
    return try Evaluation.records(
      before: before.results(path: "the base's results"), reference: baseRoot,
      after: after.results(path: "the patch's results"), measured: patch.header.targetRoot)
  }

  private func evaluation(_ suite: Suite, _ report: @escaping Report) throws -> Evaluation {
    let tokenizer = try ModelTokenizer(inputs.base.folder(), chatTemplate: inputs.chatTemplate)
    var evaluation = Evaluation(suite, of: model, tokenizer: tokenizer)
    evaluation.report = report
    return evaluation
  }
}
