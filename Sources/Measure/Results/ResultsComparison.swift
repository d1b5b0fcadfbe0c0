import Base

/// Makes forgetting records from two results files: one of the base, one of the tuned model.
package struct ResultsComparison {
  package struct Options: Sendable {
    /// Names or patterns of target tasks.
    package var targets: [String] = []
    /// Names or patterns of probe tasks; all others are held out.
    package var probes: [String] = []
    /// Names or patterns of tasks to leave out.
    package var without: [String] = []
    /// Task → metric, as the results file writes it: "acc", or "exact_match,strict-match".
    package var metrics: [(task: String, metric: String)] = []

    package init() {}
  }

  package let before: EvaluationResults
  package let after: EvaluationResults
  let options: Options
  let samplesBefore: SamplesFolder?
  let samplesAfter: SamplesFolder?

  /// - Throws: `refused` if the two files are the same, or by different evaluators.
  package init(
    before: EvaluationResults, after: EvaluationResults, options: Options = Options(),
    samplesBefore: SamplesFolder? = nil, samplesAfter: SamplesFolder? = nil
  ) throws {
    guard before.digest != after.digest else {
      throw VPatchError(
        .refused, after.path, "is the same file as \(before.path)",
        remedy: "give one results file of the base and one of the tuned model")
    }
    guard before.evaluator == after.evaluator else {
      throw VPatchError(
        .refused, after.path,
        "is by \(after.evaluator.text), but \(Path.name(before.path)) is by \(before.evaluator.text)",
        remedy: "evaluate both models with the same version")
    }
    self.before = before
    self.after = after
    self.options = options
    self.samplesBefore = samplesBefore
    self.samplesAfter = samplesAfter
  }

  /// Checks that the files are not swapped, by their model names.
  /// - Throws: `refused` if the base's file names the tuned model, or vice versa.
  package func checkOrder(model: String?, baseModel: String?) throws {
    func names(_ results: EvaluationResults, _ model: String?) -> Bool {
      guard let model, let named = results.model else { return false }
      return stem(named).isSame(as: stem(model))
    }
    func stem(_ path: String) -> String {
      let name = Path.name(path)
      return name.hasSuffix(".safetensors") ? String(name.dropLast(12)) : name
    }
    for (results, other, wrong) in [(before, after, model), (after, before, baseModel)]
    where names(results, wrong) && !names(other, wrong) {
      throw VPatchError(
        .refused, results.path, "is of the model \(results.model!), but is given for the other model",
        remedy: "check that --results and --base-results are not swapped")
    }
  }

  /// The records, and warnings.
  package struct Outcome: Sendable {
    /// In the order of the tuned model's file.
    package var records: [ForgettingRecord] = []
    /// What was left out, and why.
    package var notes: [String] = []
  }

  /// - Parameters:
  ///   - reference: root digest of the base.
  ///   - measured: root digest of the tuned model, if it was hashed.
  /// - Throws: `refused` or `invalid`, with the task, if two results cannot be compared.
  package func records(reference: ContentDigest, measured: ContentDigest?) throws -> Outcome {
    try checkRoots(reference: reference, measured: measured)
    var outcome = Outcome()
    let standing = groupsThatStand()
    let names = (after.tasks + before.tasks.filter { after.measurements(of: $0).isEmpty }).filter { task in
      let groups = (after.measurements(of: task) + before.measurements(of: task)).flatMap(\.groups)
      return !groups.contains { standing.contains($0.bytesKey) }
    }
    let targets = try NamePatterns(options.targets, "--target", names: names)
    let probes = try NamePatterns(options.probes, "--probe", names: names)
    let without = try NamePatterns(options.without, "--without", names: names)
    let metrics = try NamePatterns(options.metrics.map(\.task), "--metric", names: names)
    for task in names where !without.matches(task) {
      let (old, new) = (before.measurements(of: task), after.measurements(of: task))
      guard !old.isEmpty, !new.isEmpty else {
        let holder = old.isEmpty ? after : before
        outcome.notes.append("\(task) was left out: only \(Path.name(holder.path)) has it")
        continue
      }
      guard !(targets.matches(task) && probes.matches(task)) else {
        throw VPatchError(.refused, nil, "the task \"\(task.printable)\" is given with both --target and --probe")
      }
      for (old, new) in try pairs(task, old, new, asked: metrics.matching(task)) {
        let pair = TaskPair(task: task, before: old, after: new, comparison: self)
        var record: ForgettingRecord
        do {
          record = try pair.record(reference: reference, measured: measured, notes: &outcome.notes)
        } catch let lack as TaskPair.Lack {
          outcome.notes.append("\(task) was left out: it \(lack.reason)")
          continue
        }
        record.role = targets.matches(task) ? .target : probes.matches(task) ? .probe : new.role ?? .heldOut
        if record.unit == .score, record.role != .probe {
          outcome.notes.append("\(task): \(record.metric) has a task-specific scale, and counts in no mean")
        }
        outcome.records.append(record)
      }
    }
    guard !outcome.records.isEmpty else {
      guard !names.contains(where: { !before.measurements(of: $0).isEmpty && !after.measurements(of: $0).isEmpty })
      else {
        throw VPatchError(
          .refused, after.path, "has no task that can be compared with \(Path.name(before.path))",
          remedy: outcome.notes.joined(separator: "; "))
      }
      throw VPatchError(
        .refused, after.path, "has no task in common with \(Path.name(before.path))",
        remedy: "evaluate both models on the same tasks")
    }
    return outcome
  }

  /// Groups with a value in both files replace their tasks. Without one (a single NaN among the tasks suffices), the
  /// tasks are compared themselves.
  private func groupsThatStand() -> Set<String> {
    func finite(_ results: EvaluationResults) -> Set<String> {
      Set(results.measurements.filter(\.value.isFinite).map(\.task.bytesKey))
    }
    let groups = Set((before.measurements + after.measurements).flatMap(\.groups).map(\.bytesKey))
    return groups.intersection(finite(before)).intersection(finite(after))
  }

  /// The root of the tuned model, if both evaluations hashed the weights that they evaluated.
  /// - Throws: `wrongBase` if these are not the two sides of the patch.
  package func hashedRoot(base: ContentDigest, target: ContentDigest) throws -> ContentDigest? {
    for (results, root, side) in [(before, base, "base"), (after, target, "target")] where results.isHashed {
      guard results.root != root else { continue }
      throw VPatchError(
        .wrongBase, results.path,
        "was measured on weights with the root \(results.root?.short ?? "?"), not on the patch's \(side) (\(root.short))",
        remedy: "evaluate the base without patches, and with this patch alone")
    }
    return before.isHashed && after.isHashed ? target : nil
  }

  /// Checks that root digests in the files match those of the records.
  private func checkRoots(reference: ContentDigest, measured: ContentDigest?) throws {
    for (results, root) in [(before, Optional(reference)), (after, measured)] {
      guard let said = results.root, let root, said != root else { continue }
      throw VPatchError(
        .refused, results.path, "is of a model with the root \(said.short), not \(root.short)",
        remedy: "evaluate the model that the records are for")
    }
    for measurement in after.measurements {
      guard let said = measurement.reference, said != reference else { continue }
      throw VPatchError(
        .refused, after.path,
        "has a divergence from a model with the root \(said.short), not \(reference.short)",
        remedy: "evaluate it against this base")
    }
  }

  /// The metrics of a task that become records: those given with an option; all metrics of a file in vpatch's own
  /// format; otherwise the main metric.
  /// - Parameter asked: the options' metrics for this task.
  private func pairs(
    _ task: String, _ old: [EvaluationResults.Measurement], _ new: [EvaluationResults.Measurement], asked: [Bool]
  ) throws -> [(EvaluationResults.Measurement, EvaluationResults.Measurement)] {
    let asked = zip(options.metrics, asked).filter(\.1).map(\.0.metric)
    let common = new.filter { new in old.contains { $0.metricText.isSame(as: new.metricText) } }
    if asked.isEmpty, before.isOwnForm, !common.isEmpty {
      return common.map { new in (old.first { $0.metricText.isSame(as: new.metricText) }!, new) }
    }
    guard !asked.isEmpty else { return [(try choose(task, nil, old, before), try choose(task, nil, new, after))] }
    return try asked.map { (try choose(task, $0, old, before), try choose(task, $0, new, after)) }
  }

  /// The metric given with an option, else the preferred, else the only one.
  private func choose(
    _ task: String, _ asked: String?, _ measurements: [EvaluationResults.Measurement], _ results: EvaluationResults
  ) throws -> EvaluationResults.Measurement {
    let there = measurements.map(\.metricText).joined(separator: ", ")
    if let asked {
      guard let found = measurements.first(where: { $0.metricText.isSame(as: asked) }) ?? byFilter(measurements, asked)
      else {
        throw VPatchError(
          .refused, results.path, "has no metric \"\(asked.printable)\" for the task \"\(task.printable)\"",
          remedy: "metrics are \(there.printable)")
      }
      return found
    }
    for name in KnownMetric.preferred {
      if let found = byFilter(measurements, name) { return found }
    }
    guard measurements.count == 1 else {
      throw VPatchError(
        .refused, results.path, "has several metrics for the task \"\(task.printable)\", none of them known to vpatch",
        remedy: "choose one with --metric \(task.printable)=…, or use --without \(task.printable); "
          + "metrics are \(there.printable)")
    }
    return measurements[0]
  }

  private func byFilter(
    _ measurements: [EvaluationResults.Measurement], _ metric: String
  ) -> EvaluationResults.Measurement? {
    let named = measurements.filter { $0.metric.isSame(as: metric) }
    return KnownMetric.preferredFilters.lazy.compactMap { filter in named.first { $0.filter == filter } }.first
      ?? named.first
  }
}
