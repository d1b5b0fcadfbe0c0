import Base

/// Whether what a patch or a stack costs is within limits: the answer for a pipeline.
///
/// A limit holds only if the interval's worse end is within it. What nobody measured on these bits never passes.
package struct Gate: Sendable {
  /// A task of its own limit, since a mean can hide it.
  package struct Probe: Equatable, Sendable {
    package let task: String
    /// How much worse it may become: percentage points where the unit lies within 0 … 1, else in its unit. Nil is the
    /// gate's limit of forgetting, which only a share can have.
    package let limit: Double?

    package init(task: String, limit: Double? = nil) {
      self.task = task
      self.limit = limit
    }
  }

  /// Percentage points that the held-out tasks may lose on average.
  package let maxForgetting: Double
  /// Percentage points that the target tasks must gain on average.
  package let minLearning: Double?
  package let probes: [Probe]

  /// - Throws: `refused` for a limit that is not finite, or a negative one of forgetting.
  package init(maxForgetting: Double, minLearning: Double? = nil, probes: [Probe] = []) throws {
    for limit in [maxForgetting] + probes.compactMap(\.limit) {
      guard limit.isFinite, limit >= 0 else {
        throw VPatchError(
          .refused, "the limit \(limit)", "is no number of at least 0", remedy: "give how much may be lost, such as 1.0"
        )
      }
    }
    if let minLearning, !minLearning.isFinite {
      throw VPatchError(.refused, "the limit \(minLearning)", "is not finite", remedy: "give how much is to be learned")
    }
    self.maxForgetting = maxForgetting
    self.minLearning = minLearning
    self.probes = probes
  }

  package enum Verdict: String, Sendable, CaseIterable, Comparable {
    /// The interval's worse end is within the limit.
    case passed
    /// The limit lies in the interval: more items would decide.
    case undecided
    /// Computed from members, and not measured.
    case predicted
    /// Said by a results file, of bits that nobody hashed.
    case reported
    /// Nothing is known of it.
    case unmeasured
    /// The interval's better end is beyond the limit.
    case exceeded

    /// The worse is the greater: it is the verdict of several.
    package static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
  }

  /// One limit and what became of it.
  package struct Check: Equatable, Sendable {
    /// "forgetting", "learning", or a task.
    package let what: String
    package let verdict: Verdict
    /// What was compared with what, in words.
    package let detail: String
    /// Items that would decide, where it is undecided and any number would.
    package let itemsNeeded: Int?
  }

  package struct Outcome: Equatable, Sendable {
    package let checks: [Check]
    /// The worst of the checks'.
    package var verdict: Verdict { checks.map(\.verdict).max()! }
    /// The first check that the verdict comes from.
    package var decisive: Check { checks.first { $0.verdict == verdict }! }
  }

  /// - Parameters:
  ///   - records: for the probes; those that speak of these bits.
  ///   - summary: what was measured on exactly these bits, or predicted.
  package func judge(_ records: [ForgettingRecord], _ summary: ForgettingSummary) -> Outcome {
    var checks = [
      check(
        "forgetting", summary.forgetting, summary.known.forgetting, summary.forgettingItems, atMost: maxForgetting,
        unit: "pp")
    ]
    if let minLearning {
      // To gain at least so much is to lose at most its opposite.
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
          detail: "is counted in \(record.unit.rawValue) and needs a limit of its own: \(probe.task)=LIMIT",
          itemsNeeded: nil)
      }
      return check(
        probe.task, record.gain.map { -$0 }, record.status, record.items, atMost: limit,
        unit: record.unit.isWithinOne ? "pp" : record.unit.rawValue)
    }
  }

  /// - Parameters:
  ///   - loss: what must be at most the limit.
  ///   - isGain: whether people know it by its opposite.
  private func check(
    _ what: String, _ loss: Estimate?, _ status: MeasurementStatus, _ items: Int, atMost limit: Double, unit: String,
    isGain: Bool = false
  ) -> Check {
    guard let loss, status != .unmeasured else {
      return Check(what: what, verdict: .unmeasured, detail: "was not measured on these bits", itemsNeeded: nil)
    }
    let shown = isGain ? -loss : loss
    let bound = isGain ? -limit : limit
    let number = "\(shown.text(sign: isGain)) \(unit) (n \(Format.grouped(items)))"
    let asked = "\(isGain ? "at least" : "at most") \(Format.plain(bound))"
    guard status == .measured else {
      return Check(
        what: what, verdict: status == .reported ? .reported : .predicted,
        detail: "is \(status.rawValue), not measured: \(number), \(asked) asked for", itemsNeeded: nil)
    }
    if loss.high <= limit {
      return Check(what: what, verdict: .passed, detail: "\(number), \(asked)", itemsNeeded: nil)
    }
    if loss.low > limit {
      return Check(what: what, verdict: .exceeded, detail: "\(number), \(asked) asked for", itemsNeeded: nil)
    }
    let distance = limit - loss.value
    let needed = ItemsToDecide.count(
      items: items, halfWidth: distance > 0 ? loss.high - loss.value : loss.value - loss.low, distance: distance)
    let advice = needed.map { "about \(Format.grouped($0)) items would decide" } ?? "no number of items would decide"
    return Check(
      what: what, verdict: .undecided, detail: "\(number), \(asked) asked for; \(advice)", itemsNeeded: needed)
  }
}
