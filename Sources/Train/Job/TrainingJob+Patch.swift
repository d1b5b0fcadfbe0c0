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
    package fileprivate(set) var record: TrainingRecord
    /// Forgetting records from the suite; empty without one.
    package fileprivate(set) var measured: [ForgettingRecord]
    package fileprivate(set) var notes: [String]
    /// Why the patch is not as it should be: the run diverged, or the patch could not be measured after it was written,
    /// or its records not bound to it.
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
    var divergence: VPatchError?
    do {
      try run.run { event in
        if case .step(let step) = event, let trouble = log?.write(step) { try observe(.trouble(trouble)) }
        try observe(event)
      }
      divergence = run.divergence
    } catch let error as VPatchError where error.detail == .diverged && run.progress.step > 0 {
      divergence = error
    } catch {
      throw baseChange() ?? error
    }
    // A base that was written to explains a loss that is not finite.
    if let change = baseChange() { throw change }
    if let divergence {
      guard options.keepsDiverged else { throw divergence }
      run.keepDiverged()
    }
    try checkDriftBudget()
    try checkEarlyStop()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
    let record = run.record(data: dataSets, settings: Self.settings(options, inputs), seconds: seconds)
    let noted = record.replacing(in: annotations)
    let header = try write(to: path, otherwise: keep) { path in
      try run.writePatch(to: path, replacing: replacing, over: fingerprints, annotations: noted, work: work)
    }
    run.endTuning()
    var result = Result(
      header: header, record: record, measured: [],
      notes: run.notes + run.lossNotes + [log?.note].compactMap(\.self), failure: divergence)
    guard inputs.suite != nil || inputs.sampleCount > 0 else { return result }
    // The patch exists from here on, so later errors say where it is.
    let failure = failure(path) {
      let patch = try Patch(path: path, threads: work.threads)
      // Read once, and only if it is needed.
      var model: LanguageModel?
      func tuned() throws -> LanguageModel {
        if let model { return model }
        let made = try tunedModel(patch)
        model = made
        return made
      }
      do { result.record.samples = try samples(of: tuned) } catch {
        result.notes.append("there are no sample answers: \(error)")
      }
      if let suite = inputs.suite, let before {
        let outcome = try measure(tuned(), patch, suite, before, report)
        result.measured = outcome.records
        result.notes += outcome.notes
      }
      guard !result.measured.isEmpty || !result.record.samples.isEmpty else { return }
      let noted = result.record.replacing(in: result.measured.replacing(in: patch.annotations))
      try patch.write(annotations: noted, to: path, replacing: true)
    }
    return Result(
      header: header, record: result.record, measured: result.measured, notes: result.notes,
      failure: divergence ?? failure)
  }

  /// A run that never got below the base's validation loss has no better weights than the base's.
  private func checkEarlyStop() throws {
    let state = run.state
    guard state.stopped == TrainingRun.stoppedEarly, state.inside?.step == 0, let first = state.validation.first else {
      return
    }
    throw VPatchError(
      .refused, nil,
      "the validation loss never fell below the base's, \(Format.fixed(first.loss, 3)), so there is nothing to keep",
      remedy: "use a lower --lr, more rows, or no --early-stop")
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

  private func failure(_ path: String, _ body: () throws -> Void) -> VPatchError? {
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

  /// Exactly the patch's weights: rounded, and decoded from its file.
  private func tunedModel(_ patch: Patch) throws -> LanguageModel {
    let view = ModelView(inputs.base.checkpoint, inputs.base.steps + [PatchStep(patch, .forward)])
    return try LanguageModel(
      view, compute: Compute(threads: work.threads, precision: options.compute, blas: options.blas),
      features: inputs.features)
  }

  private func measure(
    _ tuned: LanguageModel, _ patch: Patch, _ suite: Suite, _ before: SuiteResults, _ report: @escaping Report
  ) throws -> ResultsComparison.Outcome {
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
