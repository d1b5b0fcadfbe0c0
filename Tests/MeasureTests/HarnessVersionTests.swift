import Base
import TestModels
import Testing

@testable import Measure

/// Files as the packages of lm-evaluation-harness write them, from 0.4.0 on: what is in them differs.
@Suite("Results files of many versions") struct HarnessVersionTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func outcome(_ before: String, _ after: String, samples: Bool = false) throws -> ResultsComparison.Outcome {
    func file(_ name: String, _ text: String) throws -> EvaluationResults {
      try EvaluationResults(path: folder.write("\(name)/results.json", text))
    }
    return try ResultsComparison(
      before: file("base", before), after: file("tuned", after),
      samplesBefore: samples ? SamplesFolder(path: folder["base"]) : nil,
      samplesAfter: samples ? SamplesFolder(path: folder["tuned"]) : nil
    ).records(reference: Records.base, measured: Records.tuned)
  }

  /// √(v·(1 − v) / (n − 1)), as lm_eval.api.metrics.mean_stderr has it of zeros and ones.
  private static func error(_ right: Int, _ items: Int) -> Double {
    let value = Double(right) / Double(items)
    return (value * (1 - value) / Double(items - 1)).squareRoot()
  }

  /// A task's entry.
  private static func acc(_ right: Int, of items: Int, alias: String = "quiz") -> String {
    let value = Double(right) / Double(items)
    return #"{"acc,none": \#(value), "acc_stderr,none": \#(error(right, items)), "alias": "\#(alias)"}"#
  }

  private static func file(_ results: String, _ more: String = "") -> String {
    #"{"results": {\#(results)}, "versions": {}, "n-shot": {"quiz": 0}, "git_hash": null\#(more)}"#
  }

  @Test("0.4.0 to 0.4.2 do not say how many items there are: samples do, else the standard errors imply it")
  func implied() throws {
    let (before, after) = (
      Self.file("\"quiz\": " + Self.acc(300, of: 617)), Self.file("\"quiz\": " + Self.acc(280, of: 617))
    )
    let outcome = try outcome(before, after)
    let record = try #require(outcome.records.first)
    #expect(record.items == 617 && record.areItemsImplied && record.higherIsBetter)
    #expect(record.interval?.method == .newcombe && record.itemsText == "~617")
    #expect(
      outcome.notes.count == 1 && outcome.notes[0].hasPrefix("quiz: the files do not have its number of items"))
    let json = record.json
    #expect(json["n_from"] == .string("standard-errors") && json["n"] == JSON(617))
    #expect(try ForgettingRecord(json: json) == record)
    // What a later version may write there is kept, and says nothing.
    let other = try ForgettingRecord(json: json.setting("n_from", to: .string("elsewhere")))
    #expect(!other.areItemsImplied && other.json["n_from"] == .string("elsewhere"))
  }

  @Test("any number of items and hits is found again from value and standard error")
  func impliedExactly() throws {
    var random = TestRandom(17)
    for _ in 0..<300 {
      let items = Int.random(in: 2...20_000, using: &random)
      let right = (0..<2).map { _ in Int.random(in: 1..<items, using: &random) }
      let outcome = try outcome(
        Self.file("\"quiz\": " + Self.acc(right[0], of: items)),
        Self.file("\"quiz\": " + Self.acc(right[1], of: items) + ", \"x\": {}"))
      #expect(outcome.records.first?.items == items, "\(right) of \(items)")
    }
  }

  @Test("standard errors of other numbers of items, or of none") func implausible() throws {
    let error = Records.refusal {
      _ = try outcome(
        Self.file("\"quiz\": " + Self.acc(300, of: 600)), Self.file("\"quiz\": " + Self.acc(300, of: 900)))
    }
    #expect(error?.description.contains("has standard errors that imply 600 items in results.json and 900") == true)
    let ok = Self.acc(300, of: 600, alias: "ok")
    for entry in [
      #"{"acc,none": 1.0, "acc_stderr,none": 0.0}"#, #"{"acc,none": 0.5, "acc_stderr,none": "N/A"}"#,
      #"{"acc,none": 0.5}"#, #"{"mc2,none": 0.5, "mc2_stderr,none": 0.1}"#,
    ] {
      let text = Self.file("\"quiz\": \(entry), \"ok\": \(ok)")
      let outcome = try outcome(text, text + " ")
      #expect(outcome.records.map(\.task) == ["ok"])
      #expect(
        outcome.notes.contains { $0.hasPrefix("quiz was left out: it ") }, "\(outcome.notes)")
    }
  }

  @Test("the direction: the file's own table, else its configs, else what the harness registers") func direction()
    throws
  {
    func record(_ metric: String, _ more: String) throws -> ForgettingRecord? {
      let text =
        #"{"results": {"quiz": {"\#(metric),none": 2.5, "sample_len": 30}, "ok": {"acc,none": 0.5, "sample_len": 4}}\#(more)}"#
      return try outcome(text, text + " ").records.first { $0.task == "quiz" }
    }
    #expect(try record("word_perplexity", "")?.higherIsBetter == false)
    #expect(try record("points", "") == nil)
    let configs = #", "configs": {"quiz": {"metric_list": [{"metric": "points", "higher_is_better": true}]}}"#
    #expect(try record("points", configs)?.higherIsBetter == true)
    #expect(
      try record("points", configs + #", "higher_is_better": {"quiz": {"points": false}}"#)?.higherIsBetter == false)
    // The table says that it is not known.
    #expect(try record("word_perplexity", #", "higher_is_better": {"quiz": {"word_perplexity": null}}"#) == nil)
  }

  @Test("metrics without a filter, as before 0.4") func old() throws {
    let text = #"{"results": {"quiz": {"acc": 0.5, "acc_stderr": 0.05, "sample_len": 100}}, "versions": {"quiz": 0}}"#
    let record = try outcome(text, text + " ").records[0]
    #expect(record.metric == "acc" && record.items == 100 && record.settings == [JSON.Member("version", JSON(0))])
  }

  @Test("0.4.0 shows groups by indentation alone") func indented() throws {
    func entry(_ task: String, _ alias: String) -> String { "\"\(task)\": " + Self.acc(30, of: 60, alias: alias) }
    let text = Self.file(
      [
        entry("mmlu", "mmlu"), entry("stem", " - stem"), entry("algebra", "  - algebra"), entry("law", "  - law"),
        entry("arts", " - arts"), entry("arc", "arc"),
      ].joined(separator: ", "))
    let outcome = try outcome(text, text + " ")
    // A group's own error is not that of so many ones and zeros, so nothing is implied of it.
    #expect(outcome.records.map(\.task) == ["arc"])
    #expect(
      outcome.notes.contains { $0.hasPrefix("mmlu was left out: it has no number of items") }
        && outcome.notes.count == 2)
  }

  // MARK: Limits

  private static func limited(_ limit: String, effective: String = "400", more: String = "") -> String {
    file(
      "\"quiz\": {\"acc,none\": 0.5, \"acc_stderr,none\": 0.025}",
      #", "n-samples": {"quiz": {"original": 900, "effective": \#(effective)}}, "config": {"limit": \#(limit)\#(more)}"#
    )
  }

  @Test(
    "limits that are the same",
    arguments: [
      ("400.0", "400", "400.0", "400", 400), ("400", "400.0", "400", "400.0", 400), ("null", "null", "900", "900", 900),
      ("0.1", "0.1", "0.1", "90", 90), ("1e2", "100", "100", "100", 100),
      (#"{"quiz": 400.0}"#, "400", "400", "400", 400), (#"{"other": 3}"#, "null", "900", "900", 900),
    ])
  func limits(old: String, new: String, oldCount: String, newCount: String, items: Int) throws {
    let outcome = try outcome(
      Self.limited(old, effective: oldCount), Self.limited(new, effective: newCount, more: ", \"x\": 1"))
    #expect(outcome.records.first?.items == items && outcome.notes.isEmpty)
  }

  @Test("limits that are not", arguments: [("400", "null"), ("400", "400.5"), ("0.1", "0.2"), ("400", "\"400\"")])
  func otherLimits(old: String, new: String) throws {
    let error = Records.refusal { _ = try outcome(Self.limited(old), Self.limited(new)) }
    #expect(error?.description.hasPrefix("the task quiz: has limit") == true, "\(error?.description ?? "accepted")")
  }

  @Test("a record of before is replaced, however its limit was written") func sameMeasurement() throws {
    let old = try outcome(Self.limited("400.0"), Self.limited("400.0") + " ").records[0]
    let new = try outcome(Self.limited("400"), Self.limited("400") + " ").records[0]
    #expect(old.isSameMeasurement(as: new) && [old].adding([new]) == [new])
    var other = new
    other.settings = [JSON.Member("limit", JSON(401))]
    #expect(!other.isSameMeasurement(as: new))
  }

  // MARK: NaN

  @Test(
    "a NaN, an infinity, a missing value cost their task only", arguments: ["NaN", "Infinity", "-Infinity", "1e999"])
  func notFinite(value: String) throws {
    let good = #"{"acc,none": 0.5, "acc_stderr,none": 0.05, "sample_len": 100}"#
    let bad = good.replacing("0.5,", with: "\(value),")
    let text = Self.file("\"quiz\": \(bad), \"ok\": \(good)", #", "config": {"limit": NaN, "gen_kwargs": Infinity}"#)
    let outcome = try outcome(text, text + " ")
    #expect(outcome.records.map(\.task) == ["ok"] && outcome.notes.count == 1)
    #expect(outcome.notes[0].hasPrefix("quiz was left out: it has no finite acc in results.json: "))
    // What is written into a patch is JSON all the same.
    for record in outcome.records {
      #expect(try JSON.parse(record.json.canonical()) == JSON.parse(record.json.canonical()))
    }
    let alone = Records.refusal {
      _ = try self.outcome(
        Self.file("\"quiz\": \(good)"), Self.file("\"quiz\": \(good.replacing("0.05", with: value)), \"y\": {}"))
    }
    #expect(alone == nil)
  }

  @Test("a NaN in a group leaves its other tasks to speak for themselves") func group() throws {
    let good = #"{"acc,none": 0.5, "acc_stderr,none": 0.05, "sample_len": 100}"#
    func text(_ b: String, _ group: String) -> String {
      Self.file(
        "\"g\": \(good.replacing("0.5,", with: group + ",")), \"a\": \(good), \"b\": \(good.replacing("0.5,", with: b + ","))",
        #", "group_subtasks": {"g": ["a", "b"]}"#)
    }
    #expect(try outcome(text("0.25", "0.4"), text("0.5", "0.5")).records.map(\.task) == ["g"])
    let half = try outcome(text("0.25", "0.4"), text("NaN", "NaN"))
    #expect(half.records.map(\.task) == ["a"])
    #expect(half.notes.map { $0.prefix(25) } == ["g was left out: it has no", "b was left out: it has no"])
  }

  @Test("none of the tasks can be compared: it says why of each") func nothing() throws {
    let text = Self.file(#""quiz": {"acc,none": 0.5}"#)
    let error = Records.refusal { _ = try outcome(text, text + " ") }
    #expect(
      error?.description.contains(
        "has no task that can be compared with results.json; quiz was left out: it has no number of items") == true)
  }

  // MARK: Samples

  @Test("samples as 0.4.0 to 0.4.2 write them: one array, without hashes; they say how many items there are")
  func samples() throws {
    for (name, scores) in [("base", ["1.0", "1.0", "0.0", "0.0"]), ("tuned", ["1.0", "1.0", "NaN", "1.0"])] {
      let items = scores.enumerated().map { i, score in #"{"doc_id": \#(i), "acc": \#(score), "target": "x"}"# }
      try folder.write("\(name)/pretrained__m_quiz.jsonl", "[\n" + items.joined(separator: ",\n") + "\n]")
      try folder.write("\(name)/pretrained__m_my_quiz.jsonl", "[]")
    }
    let text = { (value: Double) in Self.file(#""quiz": {"acc,none": \#(value), "acc_stderr,none": "N/A"}"#) }
    // A score that is none: those samples are of no use.
    #expect(Records.refusal { _ = try outcome(text(0.5), text(0.75), samples: true) }?.code == .refused)
    try folder.write(
      "tuned/pretrained__m_quiz.jsonl",
      try folder.text("tuned/pretrained__m_quiz.jsonl").replacing("NaN", with: "0.0"))
    let record = try outcome(text(0.5), text(0.75), samples: true).records[0]
    #expect(record.items == 4 && !record.areItemsImplied && record.flips == Flips(lost: 0, won: 1))
  }
}
