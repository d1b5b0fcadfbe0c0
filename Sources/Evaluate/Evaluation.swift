import Base
import Glibc
import Measure
import Model

/// A suite that is measured on a model, beside its base.
package struct Evaluation {
  /// What a model is compared with.
  package enum Reference {
    /// Nothing: divergences are left out.
    case none
    /// Itself: it is the base, and its divergences are zero.
    case itself
    case base(any NextTokenModel, root: ContentDigest?)
  }

  package let suite: Suite
  package let tokenizer: any EvaluationTokenizer
  /// What results depend on besides model, items and tokenizer, such as the arithmetic; plain values.
  package var settings: [JSON.Member] = []
  /// The longest sequence that the model takes.
  package var maximumLength: Int?
  /// Is told how many items of a task are done, and before that, how many have had their images looked at.
  package var report: (_ phase: String, _ done: Int, _ items: Int) -> Void = { _, _, _ in }

  package init(_ suite: Suite, tokenizer: any EvaluationTokenizer) {
    self.suite = suite
    self.tokenizer = tokenizer
  }

  /// For a language model, with the tokenizer of its folder.
  package init(_ suite: Suite, of model: LanguageModel, tokenizer: ModelTokenizer) {
    self.init(suite, tokenizer: tokenizer)
    settings = [JSON.Member("compute", .string(model.compute.precision.rawValue))]
    maximumLength = model.config.maximumLength
  }

  /// Measures all tasks on one model.
  /// - Parameters:
  ///   - name: what the results call the model.
  ///   - root: its root, where it is known.
  /// - Throws: `refused`, naming task and item, for what cannot be measured.
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
      try run.checkImages { report("looking at images of \(run.task.name)", $0, run.task.items.count) }
    }
    for run in runs {
      let task = run.task
      var from: ContentDigest?
      var run = run
      if task.isDivergence {
        switch reference {
        case .none:
          notes.append("\(task.name) is a divergence from a base, and none is given: left out")
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

  /// The first metric has the task's role; the others are looks at how the model behaves, or the task would count twice.
  private func entries(_ task: EvaluationTask, _ outcome: TaskOutcome, reference: ContentDigest?) throws -> [SuiteResults
    .Entry]
  {
    // Records hold plain values: lists become their text.
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

  /// Forgetting records of two results of one suite.
  /// - Parameters:
  ///   - before: of the base, with this root.
  ///   - after: of the tuned model, with this root; nil where it was not hashed.
  /// - Throws: `refused` where they are not of the same items, settings or bits.
  package static func records(
    before: EvaluationResults, reference: ContentDigest, after: EvaluationResults, measured: ContentDigest?
  ) throws -> ResultsComparison.Outcome {
    try ResultsComparison(before: before, after: after).records(reference: reference, measured: measured)
  }

  /// Now; or `$SOURCE_DATE_EPOCH`, where a run has to be repeatable.
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
