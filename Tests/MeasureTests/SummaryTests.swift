import Testing

@testable import Measure

@Suite("Summaries and predictions") struct SummaryTests {
  private func isNear(_ a: Estimate?, _ value: Double, _ low: Double, _ high: Double) -> Bool {
    guard let a else { return false }
    return abs(a.value - value) < 1e-9 && abs(a.low - low) < 1e-9 && abs(a.high - high) < 1e-9
  }

  @Test("nothing measured is said") func nothing() {
    #expect(ForgettingSummary(records: []) == .unmeasured)
    #expect(ForgettingSummary.unmeasured.forgettingText == "unmeasured")
    #expect(ForgettingSummary.unmeasured.learningText == "unmeasured")
  }

  @Test("means over the tasks of a role; variances are added") func means() {
    let summary = ForgettingSummary(records: [
      Records.record("a", .target, before: 0.1, after: 0.4, half: 0.03, items: 100),
      Records.record("b", before: 0.6, after: 0.58, half: 0.03, items: 500),
      Records.record("c", before: 0.5, after: 0.51, half: 0.04, items: 1900),
      // An error rate: lower is better, so this is a loss of 2 points.
      Records.record("d", before: 0.2, after: 0.22, half: 0.12, items: 10, higherIsBetter: false),
      Records.record("p", .probe, before: 0, after: 0.9, items: 7),
      Records.record("text", unit: .perplexity, before: 20, after: 30, half: nil, items: 9, higherIsBetter: false),
    ])
    #expect(summary.status == .measured)
    #expect(isNear(summary.learning, 30, 27, 33))
    // (2 − 1 + 2) / 3, and √(3² + 4² + 12²) / 3.
    #expect(isNear(summary.forgetting, 1, 1 - 13 / 3.0, 1 + 13 / 3.0))
    #expect(summary.learningItems == 100 && summary.forgettingItems == 2410)
    #expect(summary.drift == nil)
    #expect(summary.forgettingText == "1.0 ± 4.3 pp (n 2,410)")
    #expect(summary.learningText == "+30.0 ± 3.0 pp (n 100)")
  }

  @Test("an interval's sides are kept apart, and change places for a loss") func sides() {
    var record = Records.record(before: 0.5, after: 0.45)
    record.interval = Interval(low: -0.09, high: -0.03, .newcombe)
    #expect(isNear(ForgettingSummary(records: [record]).forgetting, 5, 3, 9))
    #expect(ForgettingSummary(records: [record]).forgettingText == "5.0 ± 4.0 pp (n 1,000)")
  }

  @Test("the status is the weakest of what enters; each number has the mark of its own records") func status() {
    let reported = Records.record("b", .target, measured: nil)
    let mixed = ForgettingSummary(records: [Records.record(), reported])
    #expect(mixed.status == .reported)
    #expect(mixed.forgettingText.hasPrefix("1.0 ± 1.0") && mixed.learningText.hasPrefix("reported -1.0 ± 1.0"))
    // A probe that was merely reported takes nothing from the rest.
    #expect(
      ForgettingSummary(records: [Records.record(), Records.record("p", .probe, measured: nil)]).status == .measured)
    let probe = ForgettingSummary(records: [Records.record("p", .probe)])
    #expect(probe.status == .unmeasured && probe.forgetting == nil)
  }

  @Test("drift is KL on held-out text, not on the task's own") func drift() {
    func kl(_ role: ForgettingRecord.Role, _ value: Double) -> ForgettingRecord {
      Records.record(
        "text", role, unit: .nats, before: 0, after: value, half: nil, higherIsBetter: false, metric: "kl")
    }
    #expect(ForgettingSummary(records: [kl(.target, 0.5), kl(.heldOut, 0.0114)]).drift == 0.0114)
    #expect(ForgettingSummary(records: [kl(.target, 0.5)]).drift == nil)
  }

  @Test("a sum of patches is predicted: losses add up, and their errors in the worst way") func predicted() {
    func member(_ learning: Double?, _ forgetting: Double?, half: Double = 1, items: Int = 100) -> ForgettingSummary {
      ForgettingSummary(
        status: .measured, learning: learning.map { Estimate($0, low: $0 - half, high: $0 + half) },
        forgetting: forgetting.map { Estimate($0, low: $0 - half, high: $0 + half) }, learningItems: items,
        forgettingItems: items)
    }
    let two = ForgettingSummary.predicted(members: [(0.5, member(20, 4)), (1, member(10, 1, half: 2, items: 40))])
    #expect(two.status == .predicted)
    #expect(isNear(two.forgetting, 3, 0.5, 5.5))
    #expect(isNear(two.learning, 10, 8.75, 11.25))
    #expect(two.forgettingItems == 40)
    #expect(two.forgettingText == "predicted 3.0 ± 2.5 pp (n 40)")
    // Taken off instead of put on: what was learned goes, and there is no less to lose.
    let negative = ForgettingSummary.predicted(members: [(-1, member(20, 4))])
    #expect(isNear(negative.learning, -20, -21, -19) && isNear(negative.forgetting, 4, 3, 5))
    #expect(ForgettingSummary.predicted(members: [(1, member(20, 4)), (1, .unmeasured)]) == .unmeasured)
    // A member at scale 0 is not there.
    #expect(ForgettingSummary.predicted(members: [(1, member(20, 4)), (0, .unmeasured)]).status == .predicted)
    #expect(ForgettingSummary.predicted(members: []) == .unmeasured)
    // Nobody looked at what one of them forgets.
    #expect(ForgettingSummary.predicted(members: [(1, member(20, 4)), (1, member(5, nil))]).forgetting == nil)
  }
}
