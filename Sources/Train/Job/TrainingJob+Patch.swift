import Apply
import Dispatch
import Evaluate
import Measure
import Model
import PatchFormat
import Text

extension TrainingJob {
  /// What came of it.
  public struct Result: Sendable {
    public let header: PatchHeader
    public let record: TrainingRecord
    /// What the suite measured, if there was one.
    public let measured: [ForgettingRecord]
    public let remarks: [String]
  }

  /// What the evaluation is at.
  public typealias Report = (_ task: String, _ done: Int, _ items: Int) -> Void

  /// Measures the base, trains, writes the patch, measures what it makes, and binds that to it.
  /// - Parameters:
  ///   - annotations: of the patch; what training says is added.
  ///   - observe: is told of every step. Throwing stops the run; what was saved can be gone on from.
  /// - Throws: `refused` where the patch would be empty.
  public func train(
    to path: String, annotations: JSON, report: @escaping Report = { _, _, _ in },
    _ observe: (TrainingEvent) throws -> Void
  ) throws -> Result {
    let before = try inputs.suite.map { suite in
      let base = try model.untuned()
      return try evaluation(suite) { report("\($0), base", $1, $2) }.results(
        of: base, name: inputs.base.path, root: baseRoot, against: .itself)
    }
    let started = DispatchTime.now().uptimeNanoseconds
    try run.run(observe)
    try checkDriftBudget()
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - started) / 1e9
    let record = run.record(data: dataSets, settings: Self.settings(options, inputs), seconds: seconds)
    let noted = record.replacing(in: annotations)
    let header = try run.writePatch(to: path, over: fingerprints, annotations: noted, work: work)
    run.endTuning()
    guard let suite = inputs.suite, let before else {
      return Result(header: header, record: record, measured: [], remarks: [])
    }
    let outcome = try measure(path, suite, before, report)
    return Result(header: header, record: record, measured: outcome.records, remarks: outcome.remarks)
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
    _ path: String, _ suite: Suite, _ before: SuiteResults, _ report: @escaping Report
  ) throws -> Comparison.Outcome {
    let patch = try Patch(path: path, threads: work.threads)
    let view = ModelView(inputs.base.checkpoint, inputs.base.steps + [PatchStep(patch, .forward)])
    let tuned = try LanguageModel(
      view, compute: Compute(threads: work.threads, precision: options.compute), features: inputs.features)
    let base = try model.untuned()
    let after = try evaluation(suite, report).results(
      of: tuned, name: patch.label, root: patch.header.targetRoot, against: .base(base, root: baseRoot))
    let outcome = try Evaluation.records(
      before: before.results(path: "the base's results"), reference: baseRoot,
      after: after.results(path: "the patch's results"), measured: patch.header.targetRoot)
    try patch.write(annotations: outcome.records.replacing(in: patch.annotations), to: path, replacing: true)
    return outcome
  }

  private func evaluation(_ suite: Suite, _ report: @escaping Report) throws -> Evaluation {
    let tokenizer = try ModelTokenizer(folder: inputs.base.path, chatTemplate: inputs.chatTemplate)
    var evaluation = Evaluation(suite, of: model, tokenizer: tokenizer)
    evaluation.report = report
    return evaluation
  }
}
