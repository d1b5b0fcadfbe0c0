import Base

/// Limits on the learning and forgetting of a patch or a stack, for use in pipelines.
///
/// A limit is kept only if the worse end of the interval is within it. A value passes only if it was measured on
/// exactly these weights.
package struct Gate: Sendable {
  /// A task with its own limit, since a mean can hide it.
  package struct Probe: Equatable, Sendable {
    package let task: String
    /// Maximum loss: in percentage points for units within 0 … 1, otherwise in the task's unit. Nil: the gate's limit
    /// of forgetting, which only applies to shares.
    package let limit: Double?

    package init(task: String, limit: Double? = nil) {
      self.task = task
      self.limit = limit
    }
  }

  /// Maximum mean loss on the held-out tasks, in percentage points.
  package let maxForgetting: Double
  /// Minimum mean gain on the target tasks, in percentage points.
  package let minLearning: Double?
  package let probes: [Probe]

  /// - Throws: `refused` for a limit that is not finite, or a negative limit of forgetting.
  package init(maxForgetting: Double, minLearning: Double? = nil, probes: [Probe] = []) throws {
    for limit in [maxForgetting] + probes.compactMap(\.limit) {
      guard limit.isFinite, limit >= 0 else {
        throw VPatchError(
          .refused, "the limit \(limit)", "is not a number of at least 0", remedy: "give the maximum loss, such as 1.0"
        )
      }
    }
    if let minLearning, !minLearning.isFinite {
      throw VPatchError(.refused, "the limit \(minLearning)", "is not finite", remedy: "give the minimum gain")
    }
    self.maxForgetting = maxForgetting
    self.minLearning = minLearning
    self.probes = probes
  }

  package enum Verdict: String, Sendable, CaseIterable, Comparable {
    /// The interval's worse end is within the limit.
    case passed
    /// The limit is inside the interval: more items would decide.
    case undecided
    /// Computed from members, not measured.
    case predicted
    /// From a results file, for weights that were not hashed.
    case reported
    /// There is no value.
    case unmeasured
    /// The interval's better end is beyond the limit.
    case exceeded

    /// The worse verdict is the greater: the verdict of several checks is their maximum.
    package static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
  }

  /// One limit and its verdict.
  package struct Check: Equatable, Sendable {
    /// "forgetting", "learning", or a task.
    package let what: String
    package let verdict: Verdict
    /// Value and limit, in words.
    package let detail: String
    /// Number of items that would decide an undecided check, if any would.
    package let itemsNeeded: Int?
  }

  package struct Outcome: Equatable, Sendable {
    package let checks: [Check]
    /// The worst verdict of all checks.
    package var verdict: Verdict { checks.map(\.verdict).max()! }
    /// The first check with that verdict.
    package var decisive: Check { checks.first { $0.verdict == verdict }! }
  }

  /// - Parameters:
  ///   - records: of exactly these weights, for the probes.
  ///   - summary: measured on exactly these weights, or predicted.
  package func judge(_ records: [ForgettingRecord], _ summary: ForgettingSummary) -> Outcome {
    var checks = [
      check(
        "forgetting", summary.forgetting, summary.known.forgetting, summary.forgettingItems, atMost: maxForgetting,
        unit: "pp")
    ]
    if let minLearning {
      // A gain of at least x is a loss of at most −x.
      checks.append(
        check(
          "learning", summary.learning.map { -$0 }, summary.known.learning, summary.learningItems, atMost: -minLearning,
          unit: "pp", isGain: true))
    }
    for probe in probes { checks += judge(probe, records) }
    return Outcome(checks: checks)
  }

  private func judge(_ probe: Probe, _ records: [ForgettingRecord]) -> [Check] {
    let found = records.filter { $0.task.isSame(as: probe.task) }
    guard !found.isEmpty else {
      return [Check(what: probe.task, verdict: .unmeasured, detail: "has no record", itemsNeeded: nil)]
    }
    return found.map { record in
      guard let limit = probe.limit ?? (record.unit == .share ? maxForgetting : nil) else {
        return Check(
          what: probe.task, verdict: .unmeasured,
          detail: "is measured in \(record.unit.rawValue) and needs a limit of its own: \(probe.task)=LIMIT",
          itemsNeeded: nil)
      }
      return check(
        probe.task, record.gain.map { -$0 }, record.status, record.items, atMost: limit,
        unit: record.unit.isWithinOne ? "pp" : record.unit.rawValue)
    }
  }

  /// - Parameters:
  ///   - loss: the value that must not exceed the limit.
  ///   - isGain: whether to report the loss as a gain, with the opposite sign.
  private func check(
    _ what: String, _ loss: Estimate?, _ status: MeasurementStatus, _ items: Int, atMost limit: Double, unit: String,
    isGain: Bool = false
  ) -> Check {
    guard let loss, status != .unmeasured else {
      return Check(what: what, verdict: .unmeasured, detail: "was not measured on these weights", itemsNeeded: nil)
    }
    let shown = isGain ? -loss : loss
    let bound = isGain ? -limit : limit
    let number = "\(shown.text(sign: isGain)) \(unit) (n \(Format.grouped(items)))"
    let asked = "\(isGain ? "at least" : "at most") \(Format.plain(bound))"
    guard status == .measured else {
      return Check(
        what: what, verdict: status == .reported ? .reported : .predicted,
        detail: "is \(status.rawValue), not measured: \(number), \(asked) required", itemsNeeded: nil)
    }
    if loss.high <= limit {
      return Check(what: what, verdict: .passed, detail: "\(number), \(asked)", itemsNeeded: nil)
    }
    if loss.low > limit {
      return Check(what: what, verdict: .exceeded, detail: "\(number), \(asked) required", itemsNeeded: nil)
    }
    let distance = limit - loss.value
    let needed = ItemsToDecide.count(
      items: items, halfWidth: distance > 0 ? loss.high - loss.value : loss.value - loss.low, distance: distance)
    let advice = needed.map { "about \(Format.grouped($0)) items would decide" } ?? "no number of items would decide"
    return Check(
      what: what, verdict: .undecided, detail: "\(number), \(asked) required; \(advice)", itemsNeeded: needed)
  }
}
