import Testing

@testable import Measure

@Suite("Gates") struct GateTests {
  private func judge(
    _ records: [ForgettingRecord], max: Double = 1, min: Double? = nil, probes: [Gate.Probe] = []
  ) throws -> Gate.Outcome {
    try Gate(maxForgetting: max, minLearning: min, probes: probes)
      .judge(records, ForgettingSummary(records: records))
  }

  @Test(
    "only the interval's worse end decides",
    arguments: [
      (0.2, 0.5, Gate.Verdict.passed), (0.5, 0.4999, .passed), (0.5, 0.51, .undecided), (0.9, 0.5, .undecided),
      (1.4, 0.5, .undecided), (1.4, 0.39, .exceeded), (-3, 3.9, .passed), (-3, 4.1, .undecided),
    ])
  func ends(loss: Double, half: Double, verdict: Gate.Verdict) throws {
    let record = Records.record(before: 0.6, after: 0.6 - loss / 100, half: half / 100)
    #expect(try judge([record]).verdict == verdict)
  }

  @Test("what nobody measured on these bits never passes, however good") func status() throws {
    let good = Records.record(before: 0.5, after: 0.9, half: 0.001, measured: nil)
    let reported = try judge([good])
    #expect(reported.verdict == .reported)
    #expect(reported.sentence.hasPrefix("reported: forgetting is reported, not measured: -40.0 ± 0.1 pp (n 1,000)"))
    let unmeasured = try judge([])
    #expect(unmeasured.verdict == .unmeasured)
    #expect(unmeasured.sentence == "unmeasured: forgetting was not measured on these weights")
    let predicted = ForgettingSummary(status: .predicted, forgetting: Estimate(0, low: 0, high: 0), forgettingItems: 5)
    #expect(try Gate(maxForgetting: 1).judge([], predicted).verdict == .predicted)
    // Targets alone say nothing of what was forgotten.
    #expect(try judge([Records.record("t", .target)]).verdict == .unmeasured)
  }

  @Test("says how many items would decide") func items() throws {
    // 0.6 lost, ± 0.8; half as wide would do: four times the items.
    let outcome = try judge([Records.record(before: 0.6, after: 0.594, half: 0.008, items: 1000)])
    #expect(outcome.verdict == .undecided)
    #expect((3999...4001).contains(outcome.decisive.itemsNeeded ?? 0))
    #expect(outcome.sentence.contains("0.6 ± 0.8 pp (n 1,000), at most 1 required; about 4,00"))
    let onTheLimit = Gate.Outcome(
      checks: try judge([Records.record(before: 0.5, after: 0.25, half: 0.1)], max: 25).checks)
    #expect(onTheLimit.sentence.hasSuffix("no number of items would decide"))
  }

  @Test("what is to be learned") func learning() throws {
    let records = [
      Records.record("t", .target, before: 0.1, after: 0.3, half: 0.05), Records.record(after: 0.6, half: 0.001),
    ]
    #expect(try judge(records, min: 14.9).verdict == .passed)
    #expect(try judge(records, min: 16).verdict == .undecided)
    let short = try judge(records, min: 26)
    #expect(short.verdict == .exceeded)
    #expect(short.sentence == "exceeded: learning +20.0 ± 5.0 pp (n 1,000), at least 26 required")
    #expect(try judge([records[1]], min: 1).verdict == .unmeasured)
  }

  @Test("a task that a mean would hide") func probes() throws {
    let records = [
      Records.record("good", before: 0.5, after: 0.6, half: 0.001),
      Records.record("bad", before: 0.5, after: 0.45, half: 0.001),
      Records.record(
        "mass", .probe, unit: .probability, before: 0.002, after: 0.064, half: 0.01, higherIsBetter: false),
      Records.record("old", measured: nil),
    ]
    let measured = Array(records.dropLast())
    #expect(try judge(measured).verdict == .passed)
    #expect(try judge(measured, probes: [.init(task: "good")]).verdict == .passed)
    let bad = try judge(measured, probes: [.init(task: "bad")])
    #expect(bad.verdict == .exceeded && bad.decisive.what == "bad")
    #expect(try judge(measured, probes: [.init(task: "bad", limit: 6)]).verdict == .passed)
    #expect(try judge(measured, probes: [.init(task: "mass", limit: 5)]).verdict == .exceeded)
    #expect(
      try judge(measured, probes: [.init(task: "mass")]).sentence.contains("needs a limit of its own: mass=LIMIT"))
    #expect(try judge(measured, probes: [.init(task: "none")]).sentence == "unmeasured: none has no record")
    #expect(try judge(records, probes: [.init(task: "old")]).verdict == .reported)
  }

  @Test("a limit that is none") func limits() {
    for limit in [-1, Double.nan, .infinity] {
      let error = Records.refusal { _ = try Gate(maxForgetting: limit) }
      #expect(error?.code == .refused && error?.reason == "is not a number of at least 0")
    }
    #expect(Records.refusal { _ = try Gate(maxForgetting: 1, minLearning: .nan) }?.reason == "is not finite")
    #expect(Records.refusal { _ = try Gate(maxForgetting: 1, probes: [.init(task: "a", limit: -2)]) } != nil)
  }
}
