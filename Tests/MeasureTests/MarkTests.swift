import TestModels
import Testing

@testable import Measure

/// What a number is called (measured, reported, predicted, unmeasured) is what its own records are, and nothing else.
@Suite("Marks by chance") struct MarkTests {
  private struct Scene {
    var random = TestRandom(12)

    mutating func records() -> [ForgettingRecord] {
      (0..<Int(random.next() % 6)).map { i in
        let role = ForgettingRecord.Role.allCases[Int(random.next() % 3)]
        let kind = Int(random.next() % 4)
        return Records.record(
          "t\(i)", role, unit: kind < 2 ? .share : kind == 2 ? .nats : .score, before: kind == 2 ? 0 : 0.5,
          after: 0.25, half: kind < 2 ? 0.05 : nil, items: 10 + i,
          measured: Int(random.next() % 2) == 0 ? nil : Records.tuned,
          higherIsBetter: kind != 2, metric: kind == 2 ? ForgettingSummary.klMetric : "acc")
      }
    }
  }

  private func weakest(_ records: [ForgettingRecord], _ role: ForgettingRecord.Role) -> MeasurementStatus {
    records.filter { $0.role == role && $0.unit == .share }.map(\.status).max() ?? .unmeasured
  }

  @Test("each number has the weakest mark among the records that it is made of") func own() throws {
    var scene = Scene()
    for _ in 0..<2000 {
      let records = scene.records()
      let summary = ForgettingSummary(records: records)
      let (learning, forgetting) = (weakest(records, .target), weakest(records, .heldOut))
      #expect(summary.known.learning == learning && summary.known.forgetting == forgetting)
      #expect((summary.learning == nil) == (learning == .unmeasured))
      func word(_ status: MeasurementStatus) -> String { status == .measured ? "" : status.rawValue }
      #expect(summary.learningText.hasPrefix(word(learning)) && summary.forgettingText.hasPrefix(word(forgetting)))
      for (text, status) in [(summary.learningText, learning), (summary.forgettingText, forgetting)] {
        let words = Set(text.split(separator: " ").map(String.init))
        for other in MeasurementStatus.allCases where other != status { #expect(!words.contains(other.rawValue)) }
      }
      let kl = records.first { $0.role == .heldOut && $0.unit == .nats }
      #expect(summary.known.drift == kl?.status ?? .unmeasured)
      #expect(summary.driftText?.hasPrefix("reported") == kl.map { $0.status == .reported })
      // The gate takes the mark of the number that it judges, and of no other.
      let gate = try Gate(maxForgetting: 50, minLearning: -50).judge(records, summary)
      #expect(isSame(gate.checks[0].verdict, forgetting) && isSame(gate.checks[1].verdict, learning))
      // What is shown as a whole is no better known than any of it.
      let report = ForgettingReport(records)
      #expect(report.status == (records.map(\.status).max() ?? .unmeasured))
      #expect(summary.json["known"]?["learning"] == .string(learning.rawValue))
    }
  }

  /// A measured number is judged; of any other the verdict is what it is.
  private func isSame(_ verdict: Gate.Verdict, _ status: MeasurementStatus) -> Bool {
    switch status {
    case .measured: [.passed, .exceeded, .undecided].contains(verdict)
    case .reported: verdict == .reported
    case .predicted: verdict == .predicted
    case .unmeasured: verdict == .unmeasured
    }
  }

  @Test("of a stack, what was measured is measured, and the rest predicted") func stack() {
    var scene = Scene()
    for _ in 0..<1000 {
      let members = (0..<1 + Int(scene.random.next() % 3)).map { _ in (1.0, ForgettingSummary(records: scene.records()))
      }
      let predicted = ForgettingSummary.predicted(members: members)
      let records = scene.records()
      let report = ForgettingReport(records).completed(by: predicted)
      let own = ForgettingSummary(records: records)
      #expect(report.records == records && report.summary.drift == own.drift)
      #expect(report.summary.known.learning == (own.learning == nil ? predicted.known.learning : own.known.learning))
      #expect(
        report.summary.known.forgetting == (own.forgetting == nil ? predicted.known.forgetting : own.known.forgetting))
      for (estimate, known) in [
        (report.summary.learning, report.summary.known.learning),
        (report.summary.forgetting, report.summary.known.forgetting),
      ] { #expect((estimate == nil) == (known == .unmeasured)) }
      #expect(
        [predicted.known.learning, predicted.known.forgetting].allSatisfy { $0 == .predicted || $0 == .unmeasured })
    }
  }
}
