import Apply
import Base
import Dispatch
import Evaluate
import Measure
import Model
import PatchFormat

extension TrainingJob {
  /// What came of it.
  package struct Result: Sendable {
    package let header: PatchHeader
    package let record: TrainingRecord
    /// What the suite measured, if there was one.
    package let measured: [ForgettingRecord]
    package let notes: [String]
    /// What went wrong when the patch was written: it could not be measured, or the records not be bound to it.
    package let failure: VPatchError?
  }

  /// What the evaluation is at.
  package typealias Report = (_ task: String, _ done: Int, _ items: Int) -> Void

  /// Measures the base, trains, writes the patch, measures what it makes, and binds that to it.
  /// - Parameters:
  ///   - replacing: whether a file of that name is replaced.
  ///   - annotations: of the patch; what training says is added.
  ///   - keep: keeps the patch elsewhere if its file cannot be written; a temporary folder, where that fails too.
  ///   - observe: is told of every step. Throwing stops the run; what was saved can be gone on from.
  /// - Throws: `refused` where the patch would be empty; before the first step, `io` where patch, state or log cannot be
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
      // Where the base was written to, that is why the loss is no number.
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
    // From here on there is a patch, and what goes wrong is told with it.
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

  /// What to say where somebody wrote to the base while it was learned from: what was learned is not over these weights,
  /// nor over those before. A folder that was moved or deleted is held open, and is as it was.
  private func baseChange() -> VPatchError? {
    let changed = inputs.base.checkpoint.files.first { (try? $0.input.hasSameBytes()) != true }
    return changed.map {
      VPatchError(
        .io, $0.input.path, "was changed while the model was trained on it",
        remedy: "train again, when nothing writes to it")
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
        remedy: "the patch is written, without the suite's records: "
          + "'vpatch eval BASE --patch \(path) --suite SUITE --record' adds them")
    }
  }

  /// Where the drift was within its budget at no step but that before the first, there is nothing to make a patch of.
  private func checkDriftBudget() throws {
    let state = run.state
    guard state.stopped != nil, state.inside?.step == 0, let first = state.drift.dropFirst().first,
      let budget = options.drift?.budget
    else { return }
    throw VPatchError(
      .refused, nil,
      "the drift passed its budget of \(Format.significant(budget)) when it was first measured: "
        + "\(Format.significant(first.drift.value)) after step \(first.step), so no weights but the base's are within it",
      remedy: "use a lower --lr, a larger --max-drift, or measure sooner with --drift-every")
  }

  /// The patch's own bits are measured: rounded, and decoded from its file.
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
