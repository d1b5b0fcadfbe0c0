import Measure
import Workspace

/// Results of one evaluation before and after a patch.
public struct EvaluationPair: Sendable {
  /// A results file of the base: lm-evaluation-harness, lmms-eval, or vpatch's own form.
  public var base: String
  /// A results file of the tuned model.
  public var tuned: String
  /// Tasks that the patch should teach, or patterns.
  public var targets: [String] = []
  /// Tasks that are neither success nor failure, or patterns.
  public var probes: [String] = []
  /// The tuned model, to be hashed: then the records are measured, else reported.
  public var model: String?

  /// - Parameters:
  ///   - base: a results file of the base.
  ///   - tuned: a results file of the tuned model.
  public init(base: String, tuned: String) {
    self.base = base
    self.tuned = tuned
  }
}

extension PatchWorkspace {
  /// Writes into a patch what it taught and what it cost, from two results files.
  /// - Parameters:
  ///   - results: the two results files.
  ///   - patch: a file, or its name in the store.
  /// - Returns: all records of the patch now.
  /// - Throws: `invalid` for files that cannot be compared; `wrongBase` if the model is not the one that the patch makes.
  @discardableResult
  public func record(_ results: EvaluationPair, in patch: String) throws(PatchError) -> [TaskRecord] {
    try withPatchError {
      let patch = try workspace.patch(patch)
      var options = ResultsComparison.Options()
      options.targets = results.targets
      options.probes = results.probes
      let comparison = try ResultsComparison(
        before: EvaluationResults(path: results.base), after: EvaluationResults(path: results.tuned),
        options: options)
      let measured = try results.model.map {
        try patch.checkedRoot(of: workspace.checkpoint($0), endOf: .forward, workspace.work)
      }
      let outcome = try comparison.records(reference: patch.header.baseRoot, measured: measured)
      for note in outcome.notes { workspace.messages.note(note) }
      var records: [ForgettingRecord] = []
      _ = try workspace.annotate(patch, into: nil, force: false) { patch in
        let (annotations, all, dropped) = try patch.annotations(adding: outcome.records)
        records = all
        for note in RecordWriting.notes(dropped) { workspace.messages.note(note) }
        return annotations
      }
      return records.map(TaskRecord.init)
    }
  }
}
