import Base
import PatchFormat

/// One metric of one task, before and after.
struct TaskPair {
  typealias Measurement = EvaluationResults.Measurement

  let task: String
  let before: Measurement
  let after: Measurement
  let comparison: ResultsComparison

  private var paths: (before: String, after: String) {
    (Path.name(comparison.before.path), Path.name(comparison.after.path))
  }

  /// Why one task cannot be compared; the others still are.
  struct Lack: Error {
    let reason: String
  }

  private func refuse(_ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(
      .refused, "the task \(task)", reason,
      remedy: remedy ?? "fix the files, or leave the task out with --without \(task.printable)")
  }

  /// A record with the role held-out.
  /// - Throws: `Lack` if the files have too little information on the task; `refused` if they are inconsistent.
  func record(reference: ContentDigest, measured: ContentDigest?, notes: inout [String]) throws -> ForgettingRecord {
    try check()
    let samples = try samples(&notes)
    let (items, areImplied) = try items(samples)
    let scores = try pairedScores(samples, items, &notes)
    if areImplied {
      notes.append("\(task): the files do not have its number of items; n is computed from its standard errors")
    }
    // A probe set counts if both files have the same, or neither has one.
    let probeSet = before.probeSet == after.probeSet ? before.probeSet ?? scores?.probeSet : scores?.probeSet
    let (interval, flips) = try interval(items, scores)
    var record = ForgettingRecord(
      task: task, metric: before.metric, role: .heldOut, unit: before.unit, higherIsBetter: before.higherIsBetter!,
      items: items, before: scores?.before.value ?? before.value, after: scores?.after.value ?? after.value,
      interval: interval, flips: flips, reference: reference,
      measured: measured, probeSet: probeSet, evaluator: comparison.after.evaluator, settings: before.settings,
      date: [comparison.before.date, comparison.after.date].compactMap { $0 }.max { $0.precedes($1) },
      sourceBefore: .init(digest: comparison.before.digest, model: comparison.before.model),
      sourceAfter: .init(digest: comparison.after.digest, model: comparison.after.model))
    record.areItemsImplied = areImplied
    return record
  }

  // MARK: Comparability

  private func check() throws {
    guard before.metricText.isSame(as: after.metricText) else {
      throw refuse(
        "has the metric \(before.metricText) in \(paths.before) and \(after.metricText) in \(paths.after)",
        remedy: "choose one that both have with --metric \(task.printable)=…")
    }
    for (measurement, path) in [(before, paths.before), (after, paths.after)] {
      guard measurement.value.isFinite else {
        throw Lack(reason: "has no finite \(measurement.metric) in \(path): \(measurement.value)")
      }
      guard !measurement.unit.isWithinOne || (0...1).contains(measurement.value) else {
        throw refuse(
          "has the \(measurement.metric) \(measurement.value.shortest) in \(path), which is outside 0 … 1")
      }
      guard measurement.higherIsBetter != nil else {
        throw Lack(reason: "does not say in \(path) whether a higher \(measurement.metric) is better")
      }
    }
    guard before.unit == after.unit, before.higherIsBetter == after.higherIsBetter else {
      throw refuse("measures \(before.metric) differently in \(paths.before) and \(paths.after)")
    }
    for key in (before.settings + after.settings).map(\.key) {
      let (old, new) = (setting(key, before), setting(key, after))
      guard old == new || old.map({ old in new.map(old.saysTheSame) ?? false }) ?? false else {
        throw refuse("has \(key) \(text(old)) in \(paths.before) and \(text(new)) in \(paths.after)")
      }
    }
    if let old = before.probeSet, let new = after.probeSet, old != new {
      throw refuse("has different items or prompts in \(paths.before) and \(paths.after)")
    }
    guard before.reference == after.reference else {
      throw refuse("is a divergence from different models in \(paths.before) and \(paths.after)")
    }
    guard before.scores?.weights == after.scores?.weights || before.scores == nil || after.scores == nil else {
      throw refuse("has different item weights in \(paths.before) and \(paths.after)")
    }
  }

  /// Number of items: from the files, else the number of samples, else computed from the standard errors.
  private func items(_ samples: Samples?) throws -> (count: Int, areImplied: Bool) {
    if let old = before.items, let new = after.items, old != new {
      throw refuse("has \(old) items in \(paths.before) and \(new) in \(paths.after)")
    }
    if let items = before.items ?? after.items ?? samples?.keys.count {
      guard (1...ForgettingRecord.maximumItems).contains(items) else {
        throw Lack(reason: "has \(items) items")
      }
      return (items, false)
    }
    guard let old = before.impliedItems, let new = after.impliedItems else {
      let path = before.impliedItems == nil ? paths.before : paths.after
      throw Lack(
        reason: "has no number of items (n) in \(path), and no standard error to compute it from; give --samples "
          + "and --base-samples")
    }
    // Rounded standard errors give slightly different numbers; models that answered different items, very different
    // ones.
    guard abs(old - new) <= 0.05 * max(old, new) else {
      throw refuse(
        "has standard errors that imply \(Format.grouped(Int(old.rounded()))) items in \(paths.before) and "
          + "\(Format.grouped(Int(new.rounded()))) in \(paths.after)")
    }
    return (Int((min(old, new) + 1e-6 * old).rounded(.down)), true)
  }

  private func setting(_ key: String, _ measurement: Measurement) -> JSON? {
    measurement.settings.first { $0.key.isSame(as: key) }?.value
  }

  private func text(_ value: JSON?) -> String { value.map { $0.string ?? $0.compact() } ?? "unset" }

  // MARK: Item by item

  private struct PairedScores {
    let before: ItemScores
    let after: ItemScores
    let probeSet: ContentDigest?

    var areBinary: Bool { before.areBinary && after.areBinary }
  }

  /// The task's samples, before and after.
  private struct Samples {
    let before: SamplesFolder.Scores
    let after: SamplesFolder.Scores
    let keys: [String]
  }

  private func samples(_ notes: inout [String]) throws -> Samples? {
    guard before.scores == nil || after.scores == nil, let folderBefore = comparison.samplesBefore,
      let folderAfter = comparison.samplesAfter
    else { return nil }
    guard let old = try folderBefore.scores(of: before, in: comparison.before),
      let new = try folderAfter.scores(of: after, in: comparison.after)
    else {
      notes.append("\(task): there are no samples with scores of its items; compared without samples")
      return nil
    }
    let keys = old.items.keys.sorted()
    guard old.items.count == new.items.count,
      keys.allSatisfy({ key in new.items[key].map { $0.hash == old.items[key]!.hash } ?? false })
    else { throw refuse("has samples of different items before and after") }
    return Samples(before: old, after: new, keys: keys)
  }

  private func pairedScores(_ samples: Samples?, _ items: Int, _ notes: inout [String]) throws -> PairedScores? {
    if let old = before.scores, let new = after.scores { return PairedScores(before: old, after: new, probeSet: nil) }
    guard let samples else { return nil }
    let (old, new, keys) = (samples.before, samples.after, samples.keys)
    let scores = PairedScores(
      before: ItemScores(keys.map { old.items[$0]!.score }, unit: before.unit),
      after: ItemScores(keys.map { new.items[$0]!.score }, unit: after.unit),
      probeSet: old.hashes.count == new.hashes.count && old.hashes == new.hashes ? TaskHash.probeSet(old.hashes) : nil)
    guard keys.count == items, scores.before.average(to: before.value), scores.after.average(to: after.value) else {
      notes.append("\(task): the mean of its samples is not its result; compared without samples")
      return nil
    }
    return scores
  }

  // MARK: The interval

  /// By the narrowest method that the data allow: paired items, else proportions, else standard errors.
  private func interval(_ items: Int, _ scores: PairedScores?) throws -> (Interval?, Flips?) {
    if let scores, scores.areBinary {
      let pairs = zip(scores.before.values, scores.after.values)
      let flips = Flips(lost: pairs.count { $0 > $1 }, won: pairs.count { $0 < $1 })
      return (ChangeInterval.bonettPrice(lost: flips.lost, won: flips.won, items: items), flips)
    }
    if let scores, items >= 2 {
      let (old, new) = (scores.before.values, scores.after.values)
      guard let weights = scores.before.weights else {
        return (ChangeInterval.paired(zip(old, new).map { $1 - $0 }), nil)
      }
      return (
        ChangeInterval.weighted(
          before: old, after: new, weights: weights, isExponential: scores.before.isExponential), nil
      )
    }
    let errors = before.standardError.flatMap { old in after.standardError.map { (old, $0) } }
    // Clustered items are not independent proportions: the evaluator's standard errors account for that.
    if before.unit == .share, !(before.isClustered && errors != nil), let old = proportion(before, items),
      let new = proportion(after, items)
    {
      return (ChangeInterval.newcombe(before: old, after: new), nil)
    }
    if let errors {
      return (
        ChangeInterval.standardErrors(before: before.value, errors.0, after: after.value, errors.1), nil
      )
    }
    guard before.unit != .share else {
      throw Lack(
        reason: "has no standard error, and its \(before.metric) is not a count of right items out of \(items), "
          + "so no interval can be computed; give --samples and --base-samples")
    }
    return (nil, nil)
  }

  /// The number of right items behind a share, if the share is such a count.
  private func proportion(_ measurement: Measurement, _ items: Int) -> Proportion? {
    let hits = (measurement.value * Double(items)).rounded()
    guard abs(hits / Double(items) - measurement.value) <= 1e-9 else { return nil }
    return Proportion(Int(hits), of: items)
  }
}
