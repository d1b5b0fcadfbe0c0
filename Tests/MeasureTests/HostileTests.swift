import Base
import Foundation
import TestModels
import Testing

@testable import Measure

/// Damaged and hostile text ends in records or in an error, and in nothing else.
@Suite("Hostile records and results") struct HostileTests {
  /// What a mutation puts in: numbers at their limits, other kinds of values.
  private static let pieces = [
    "0", "-1", "1e999", "-1e308", "1e308", "18446744073709551615", "9223372036854775807", "1000000000000", "null", "[]",
    "{}", "\"\"", "\"x\"", "true", "[[]]", "0.5", "1", "5e-324",
  ]

  /// One value of the text replaced by another.
  private func mutated(_ json: JSON, _ random: inout TestRandom) throws -> JSON {
    let piece = try JSON.parse(Self.pieces.randomElement(using: &random)!)
    func count(_ json: JSON) -> Int {
      1 + (json.object?.reduce(0) { $0 + count($1.value) } ?? 0) + (json.array?.reduce(0) { $0 + count($1) } ?? 0)
    }
    var left = Int.random(in: 0..<count(json), using: &random)
    func replace(_ json: JSON) -> JSON {
      left -= 1
      if left == -1 { return piece }
      if let object = json.object { return .object(object.map { JSON.Member($0.key, replace($0.value)) }) }
      if let array = json.array { return .array(array.map(replace)) }
      return json
    }
    return replace(json)
  }

  @Test("records, one value of which is another") func records() throws {
    var random = TestRandom(7)
    var record = Records.record(probeSet: Records.base)
    record.flips = Flips(lost: 30, won: 20)
    record.pValue = 0.2
    record.sourceBefore = .init(digest: Records.base, model: "m")
    let good = [record, Records.record("t", .target), Records.record("p", .probe, unit: .nats, after: 9)]
    let json = good.replacing(in: .object([]))
    var accepted = 0
    for _ in 0..<3000 {
      let annotations = try mutated(json, &random)
      let summary = ForgettingSummary(annotations: annotations)
      _ = summary.forgettingText + summary.learningText
      guard let records = try? [ForgettingRecord](annotations: annotations, subject: "x") else { continue }
      accepted += 1
      let gate = try Gate(maxForgetting: 1, minLearning: 1, probes: [.init(task: "p", limit: 1), .init(task: "arc")])
      #expect(gate.judge(records, summary).sentence.isEmpty == false)
      #expect(try [ForgettingRecord](annotations: records.replacing(in: annotations), subject: "x") == records)
    }
    #expect((100..<2900).contains(accepted), "\(accepted)")
  }

  @Test("results files, one value of which is another") func results() throws {
    var random = TestRandom(11)
    let folder = try TestFolder()
    let paths = ["base/results_2026-11-22T10-00-00.123456.json", "tuned/results_2026-11-22T11-00-00.123456.json"]
      .map { "\(ResultsTests.fixtures)/lm-eval/\($0)" }
    let before = try EvaluationResults(path: paths[0])
    let json = try JSON.parse(folder.bytes(paths[1]))
    // Groups, so that their rules are met too.
    let grouped = json.setting(
      "group_subtasks", to: try JSON.parse(#"{"arc_easy": ["gsm8k"], "x": ["x", "counting"]}"#))
    var accepted = 0
    for i in 0..<300 {
      let text = try mutated(i % 2 == 0 ? json : grouped, &random).compact()
      let path = try folder.write("r.json", text)
      do {
        let outcome = try ResultsComparison(before: before, after: EvaluationResults(path: path))
          .records(reference: Records.base, measured: nil)
        for record in outcome.records { #expect(try ForgettingRecord(json: record.json) == record) }
        accepted += 1
      } catch { #expect(error is VPatchError, "\(error)") }
    }
    #expect((25..<295).contains(accepted), "\(accepted)")
  }
}
