import Base
import Glibc
import Measure
import Model

/// Measures a suite on a model, and on its base for divergences.
package struct Evaluation {
  /// The model that divergences are measured against.
  package enum Reference {
    /// None: divergences are left out.
    case none
    /// The model itself: it is the base, and its divergences are zero.
    case itself
    case base(any NextTokenModel, root: ContentDigest?)
  }

  package let suite: Suite
  package let tokenizer: any EvaluationTokenizer
  /// Settings that results depend on besides model, items and tokenizer, such as the compute dtype; plain values.
  package var settings: [JSON.Member] = []
  /// Maximum sequence length of the model.
  package var maximumLength: Int?
  /// Called with the number of finished items of a task, and before that with the number of items whose images were
  /// checked.
  package var report: (_ phase: String, _ done: Int, _ items: Int) -> Void = { _, _, _ in }

  package init(_ suite: Suite, tokenizer: any EvaluationTokenizer) {
    self.suite = suite
    self.tokenizer = tokenizer
  }

  /// For a language model with the tokenizer of its folder.
  package init(_ suite: Suite, of model: LanguageModel, tokenizer: ModelTokenizer) {
    self.init(suite, tokenizer: tokenizer)
    settings = [JSON.Member("compute", .string(model.compute.precision.rawValue))]
    maximumLength = model.config.maximumLength
  }

  /// Measures all tasks on one model.
  /// - Parameters:
  ///   - name: of the model in the results.
  ///   - root: the model's root digest, if known.
  /// - Throws: `refused`, with task and item, for an item that cannot be measured.
  package func results(
    of model: any NextTokenModel, name: String, root: ContentDigest?, against reference: Reference
  ) throws -> SuiteResults {
    var entries: [SuiteResults.Entry] = []
    var notes: [String] = []
    let runs = suite.tasks.map { task in
      TaskRun(
        task: task, model: model, tokenizer: tokenizer, maximumLength: maximumLength,
        report: { report(task.name, $0, task.items.count) })
    }
    for run in runs {
      try run.checkImages { report("checking images of \(run.task.name)", $0, run.task.items.count) }
    }
    for run in runs {
      let task = run.task
      var from: ContentDigest?
      var run = run
      if task.isDivergence {
        switch reference {
        case .none:
          notes.append("\(task.name) was left out: it measures the divergence from a base, and none is given")
          continue
        case .itself: from = root
        case .base(let base, let baseRoot): (run.base, from) = (base, baseRoot)
        }
      }
      let outcome = try task.kind.run(run)
      entries += try self.entries(task, outcome, reference: from)
    }
    try model.requireUnchanged()
    if case .base(let base, _) = reference { try base.requireUnchanged() }
    return SuiteResults(
      model: name, root: root, suite: suite.digest, date: Self.now(), entries: entries, notes: notes)
  }

  /// The first metric has the task's role. The others are diagnostic, or the task would count more than once.
  private func entries(_ task: EvaluationTask, _ outcome: TaskOutcome, reference: ContentDigest?) throws
    -> [SuiteResults
    .Entry]
  {
    // Records hold plain values: lists are stored as text.
    let ofTokenizer = try tokenizer.settings(chat: task.usesChat)
    let settings = (task.settings + ofTokenizer + self.settings).map { member in
      member.value.array == nil ? member : JSON.Member(member.key, .string(member.value.compact()))
    }
    return outcome.metrics.enumerated().map { i, metric in
      .init(
        task: task.name, metric: metric.name, role: i == 0 ? task.role : .probe, unit: metric.unit,
        higherIsBetter: metric.higherIsBetter, scores: metric.scores, probeSet: task.probeSet, settings: settings,
        reference: reference, details: i == 0 ? outcome.details : [])
    }
  }

  /// Forgetting records from two results of one suite.
  /// - Parameters:
  ///   - before: of the base, with this root.
  ///   - after: of the tuned model, with this root; nil if it was not hashed.
  /// - Throws: `refused` if items, settings or weights do not match.
  package static func records(
    before: EvaluationResults, reference: ContentDigest, after: EvaluationResults, measured: ContentDigest?
  ) throws -> ResultsComparison.Outcome {
    try ResultsComparison(before: before, after: after).records(reference: reference, measured: measured)
  }

  /// The current time, or `$SOURCE_DATE_EPOCH` for reproducible runs.
  private static func now() -> String {
    var moment = SourceDate.now
    var parts = tm()
    gmtime_r(&moment, &parts)
    let text = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      count = buffer.withMemoryRebound(to: CChar.self) { strftime($0.baseAddress!, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
