import Base
import Foundation
import TestModels
import Testing

@testable import Measure

@Suite("Results files") struct ResultsTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures/results").path

  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func results(_ path: String) throws -> EvaluationResults {
    try EvaluationResults(path: "\(Self.fixtures)/\(path)")
  }

  private func lmEval(samples: Bool = false, options: ResultsComparison.Options = .init()) throws -> ResultsComparison {
    func folder(_ name: String) throws -> SamplesFolder? {
      samples ? try SamplesFolder(path: "\(Self.fixtures)/lm-eval/\(name)") : nil
    }
    return try ResultsComparison(
      before: results("lm-eval/base/results_2026-11-22T10-00-00.123456.json"),
      after: results("lm-eval/tuned/results_2026-11-22T11-00-00.123456.json"), options: options,
      samplesBefore: folder("base"), samplesAfter: folder("tuned"))
  }

  private func records(_ comparison: ResultsComparison) throws -> ResultsComparison.Outcome {
    try comparison.records(reference: Records.base, measured: Records.tuned)
  }

  @Test("lm-evaluation-harness, without samples") func harness() throws {
    var options = ResultsComparison.Options()
    options.targets = ["count*"]
    options.probes = ["gsm8k"]
    let outcome = try records(lmEval(options: options))
    #expect(outcome.notes.isEmpty)
    #expect(outcome.records.map(\.task) == ["counting", "arc_easy", "gsm8k"])
    #expect(outcome.records.map(\.role) == [.target, .heldOut, .probe])
    // The length-normalised accuracy, and of two ways to take an answer the strict one.
    #expect(outcome.records.map(\.metric) == ["exact_match", "acc_norm", "exact_match"])
    #expect(outcome.records.map(\.interval?.method) == [.newcombe, .newcombe, .newcombe])
    let gsm8k = outcome.records[2]
    #expect(gsm8k.settings.first { $0.key == "filter" }?.value == .string("strict-match"))
    #expect(gsm8k.settings.first { $0.key == "n_shot" }?.value == JSON(5))
    #expect(gsm8k.items == 40 && gsm8k.before == 0.125 && gsm8k.after == 0.1)
    #expect(gsm8k.evaluator == .init(name: "lm-evaluation-harness", version: "0.4.13"))
    #expect(gsm8k.date == "2026-11-22T10:00:00Z")
    #expect(gsm8k.sourceBefore?.model == "base" && gsm8k.sourceAfter?.model == "tuned")
    #expect(gsm8k.sourceAfter?.digest == SHA256Hasher.hash(try folder.bytes(lmEval().after.path)))
    #expect(gsm8k.probeSet?.hex == (try taskHash("gsm8k")))
    #expect(gsm8k.flips == nil && gsm8k.measured == Records.tuned && gsm8k.reference == Records.base)
    for record in outcome.records { #expect(try ForgettingRecord(json: record.json) == record) }
  }

  private func taskHash(_ task: String) throws -> String? {
    try JSON.parse(folder.bytes(lmEval().before.path))["task_hashes"]?[task]?.string
  }

  @Test("lm-evaluation-harness, item by item") func harnessSamples() throws {
    let outcome = try records(lmEval(samples: true))
    #expect(outcome.notes.isEmpty)
    #expect(outcome.records.map(\.flips) == [Flips(lost: 0, won: 23), Flips(lost: 3, won: 2), Flips(lost: 1, won: 0)])
    #expect(outcome.records.allSatisfy { $0.interval?.method == .bonettPrice })
    #expect(outcome.records[0].pValue.map { $0 < 1e-6 } == true)
    #expect(outcome.records[0].interval == ChangeInterval.bonettPrice(lost: 0, won: 23, items: 60))
    let without = try records(lmEval())
    for (paired, plain) in zip(outcome.records, without.records) {
      #expect(paired.isSameMeasurement(as: plain))
      #expect(paired.interval!.high - paired.interval!.low < plain.interval!.high - plain.interval!.low)
    }
  }

  @Test("a metric that is asked for") func metric() throws {
    var options = ResultsComparison.Options()
    options.metrics = [("arc_easy", "acc"), ("gsm8k", "exact_match,flexible-extract")]
    options.without = ["counting"]
    let outcome = try records(lmEval(samples: true, options: options))
    #expect(outcome.records.map(\.metric) == ["acc", "exact_match"])
    #expect(outcome.records[0].change == 0)
    #expect(outcome.records[1].flips == Flips(lost: 3, won: 3))
    options.metrics = [("arc_easy", "f1")]
    #expect(
      Records.refusal { _ = try records(lmEval(options: options)) }?.description.contains(
        "has no metric \"f1\" for the task \"arc_easy\"; metrics are acc, acc_norm") == true)
  }

  @Test("lmms-eval: scores that are no counts, values that are no means") func lmms() throws {
    func folder(_ name: String) throws -> SamplesFolder {
      try SamplesFolder(path: "\(Self.fixtures)/lmms-eval/\(name)")
    }
    let comparison = try ResultsComparison(
      before: results("lmms-eval/base/20261122_100000_results.json"),
      after: results("lmms-eval/tuned/20261122_110000_results.json"), samplesBefore: folder("base"),
      samplesAfter: folder("tuned"))
    let outcome = try records(comparison)
    #expect(outcome.records.map(\.task) == ["ai2d", "docvqa_val", "mmstar"])
    #expect(outcome.records.map(\.metric) == ["exact_match", "anls", "average"])
    #expect(outcome.records.map(\.interval?.method) == [.bonettPrice, .pairedDifferences, .standardErrors])
    #expect(outcome.records[0].flips == Flips(lost: 2, won: 0))
    #expect(outcome.records.allSatisfy { $0.unit == .share && $0.items == 50 && $0.probeSet != nil })
    #expect(outcome.notes == ["mmstar: the mean of its samples is not its result; compared without samples"])
    #expect(outcome.records[0].evaluator == .init(name: "lmms-eval", version: "main@0123abcd"))
    #expect(outcome.records[0].date == "20261122_110000")
  }

  @Test("vpatch's own form: every entry becomes a record") func own() throws {
    var options = ResultsComparison.Options()
    options.probes = ["number mass"]
    let comparison = try ResultsComparison(
      before: results("own/base.json"), after: results("own/tuned.json"), options: options)
    let outcome = try records(comparison)
    #expect(outcome.records.map(\.metric) == ["perplexity", "kl", "mass"])
    #expect(outcome.records.map(\.unit) == [.perplexity, .nats, .probability])
    #expect(outcome.records.map(\.interval?.method) == [nil, nil, .pairedDifferences])
    #expect(outcome.records[0].settings == [JSON.Member("context", JSON(1024))])
    #expect(ForgettingSummary(records: outcome.records).drift == 0.0114)
  }

  @Test("a group that has a number stands for its tasks") func groups() throws {
    let entry = #"{"acc,none": 0.5, "acc_stderr,none": 0.01, "alias": "x"}"#
    func file(_ name: String, _ value: String) throws -> EvaluationResults {
      try EvaluationResults(
        path: folder.write(
          name,
          """
          {"results": {"mmlu": {"acc,none": \(value), "acc_stderr,none": 0.004, "alias": "mmlu"},
             "mmlu_stem": \(entry), "mmlu_a": \(entry), "mmlu_b": \(entry), "bundle": {"alias": "bundle", " ": ""},
             "arc": \(entry)},
           "group_subtasks": {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_b", "mmlu_a"], "bundle": ["arc"], "arc": []},
           "n-samples": {"mmlu_a": {"original": 100, "effective": 60}, "mmlu_b": {"original": 9, "effective": 40},
             "arc": {"original": 500, "effective": 500}},
           "n-shot": {"mmlu_a": 5, "mmlu_b": 5, "arc": 0}, "versions": {"mmlu": 2, "mmlu_a": 1, "mmlu_b": 0},
           "higher_is_better": {"mmlu": {"acc": true}, "arc": {"acc": true}}, "lm_eval_version": "0.4.13"}
          """))
    }
    let outcome = try records(ResultsComparison(before: file("a.json", "0.61234"), after: file("b.json", "0.59")))
    #expect(outcome.records.map(\.task) == ["mmlu", "arc"])
    #expect(outcome.records.map(\.items) == [100, 500])
    // A mean of subjects is no count of items; the evaluator's error is taken.
    #expect(outcome.records[0].interval?.method == .standardErrors)
    #expect(outcome.records[0].settings == [JSON.Member("n_shot", JSON(5)), JSON.Member("version", JSON(2))])
    // Groups that hold each other stand for nothing, and end.
    let circle = try folder.write(
      "c.json", #"{"results": {"a": \#(entry), "b": \#(entry)}, "group_subtasks": {"a": ["b"], "b": ["a"]}}"#)
    let other = try folder.write(
      "d.json", #"{"results": {"a": \#(entry), "b": \#(entry)}, "group_subtasks": {"a": ["b"], "b": ["a"]}, "x": 1}"#)
    let error = Records.refusal {
      _ = try records(ResultsComparison(before: EvaluationResults(path: circle), after: EvaluationResults(path: other)))
    }
    #expect(error?.reason.contains("has no task in common") == true)
  }

  @Test("a score on a scale of its own is kept, and enters no mean") func scores() throws {
    let old = "\"exact_match,none\": "
    func file(_ side: String) throws -> EvaluationResults {
      let path = try side == "base" ? lmEval().before.path : lmEval().after.path
      let text = try folder.text(path).replacingOccurrences(
        of: "\"acc_norm,none\": 0.6", with: "\"a\": 0, \"points,none\": 160"
      )
      .replacingOccurrences(of: "\"acc,none\": ", with: "\"b\": ")
      .replacingOccurrences(of: "\"acc_norm\": true", with: "\"points\": true")
      #expect(text.contains(old) && text.contains("points,none"))
      return try EvaluationResults(path: folder.write("\(side).json", text))
    }
    let outcome = try records(ResultsComparison(before: file("base"), after: file("tuned")))
    #expect(outcome.notes == ["arc_easy: points has a task-specific scale, and counts in no mean"])
    #expect(outcome.records[1].unit == .score && outcome.records[1].interval == nil)
    #expect(ForgettingSummary(records: outcome.records).forgettingItems == 100)
  }

  // MARK: What cannot be compared

  /// A file of the harness's form, with one thing changed: `old` by `new` in the text.
  private func changed(_ old: String, _ new: String, base: Bool = false) throws -> ResultsComparison {
    let pair = try lmEval()
    var text = try folder.text(base ? pair.before.path : pair.after.path)
    #expect(text.contains(old), "the fixture no longer says \(old)")
    text = text.replacingOccurrences(of: old, with: new)
    let file = try EvaluationResults(path: folder.write("changed.json", text))
    return try base
      ? ResultsComparison(before: file, after: pair.after) : ResultsComparison(before: pair.before, after: file)
  }

  @Test(
    "two results that are not of the same thing",
    arguments: [
      ("\"gsm8k\": 5", "\"gsm8k\": 4", "the task gsm8k", "has n_shot 5 in results_2026"),
      ("\"gsm8k\": 3.0", "\"gsm8k\": 2.0", "the task gsm8k", "has version 3.0 in"),
      ("\"chat_template_sha\": null", "\"chat_template_sha\": \"ab\"", "the task", "has chat_template_sha unset in"),
      ("\"limit\": null", "\"limit\": 40", "the task", "has limit unset in"),
      (
        "\"sample_len\": 40", "\"sample_len\": 41", "the task gsm8k",
        "has 40 items in results_2026-11-22T10-00-00.123456.json and 41 in changed.json"
      ),
      (
        "\"exact_match,strict-match\": 0.1", "\"exact_match,strict-match\": 1.1", "the task gsm8k",
        "has the exact_match 1.1 in changed.json, which is outside 0 … 1"
      ),
      (
        "\"exact_match,strict-match\": 0.1", "\"exact_match,strict-match\": -0.1", "the task gsm8k",
        "has the exact_match -0.1"
      ),
      (
        "\"exact_match,strict-match\": 0.1", "\"exact_match,other\": 0.1", "the task gsm8k",
        "has the metric exact_match,strict-match in"
      ),
      ("\"exact_match\": true", "\"exact_match\": false", "the task", "measures exact_match differently"),
    ])
  func different(old: String, new: String, subject: String, reason: String) throws {
    let error = Records.refusal { _ = try records(changed(old, new)) }
    #expect(error?.code == .refused)
    #expect(error?.subject?.hasPrefix(subject) == true)
    #expect(error?.reason.contains(reason) == true, "\(error?.description ?? "accepted")")
    #expect(error?.remedy?.contains("--") == true)
  }

  @Test("other items under the same name") func otherItems() throws {
    let hash = try #require(try taskHash("gsm8k"))
    let error = Records.refusal { _ = try records(changed(hash, SHA256Hasher.hash("other").hex)) }
    #expect(error?.reason.contains("has different items or prompts in") == true)
    // What is known of one alone is not known of the pair.
    #expect(try records(changed(hash, "none")).records[2].probeSet == nil)
  }

  @Test("another evaluator, or another version of it; the same file twice") func evaluators() throws {
    #expect(
      Records.refusal { _ = try changed("0.4.13", "0.4.9") }?.description.contains(
        "is by lm-evaluation-harness 0.4.9, but results_2026-11-22T10-00-00.123456.json is by lm-evaluation-harness 0.4.13"
      )
        == true)
    let file = try results("own/base.json")
    #expect(
      Records.refusal { _ = try ResultsComparison(before: file, after: file) }?.reason.contains("the same file") == true
    )
  }

  @Test("a task in one file alone is said, and left out") func unknownTask() throws {
    let outcome = try records(changed("\"counting\": {", "\"clock\": {"))
    #expect(outcome.records.map(\.task) == ["arc_easy", "gsm8k"])
    #expect(
      outcome.notes == [
        "clock was left out: only changed.json has it",
        "counting was left out: only results_2026-11-22T10-00-00.123456.json has it",
      ])
    var options = ResultsComparison.Options()
    options.targets = ["conuting"]
    let error = Records.refusal { _ = try records(lmEval(options: options)) }
    #expect(
      error?.description.contains("--target names the task \"conuting\", which is in neither results file") == true)
    #expect(error?.remedy == "tasks are counting, arc_easy, gsm8k")
  }

  @Test("files given in the wrong places, as far as their models' names tell") func order() throws {
    let pair = try lmEval()
    try pair.checkOrder(model: "x/tuned/", baseModel: "base.safetensors")
    try pair.checkOrder(model: "elsewhere", baseModel: nil)
    let swapped = try ResultsComparison(before: pair.after, after: pair.before)
    for (model, base) in [("x/tuned", nil), ("m", "x/base.safetensors")] as [(String, String?)] {
      let error = Records.refusal { try swapped.checkOrder(model: model, baseModel: base) }
      #expect(error?.remedy == "check that --results and --base-results are not swapped")
    }
  }

  @Test(
    "what is no results file",
    arguments: [
      ("", "is not valid JSON"), ("{\"results\": {\"a\": {\"acc,none\": nan}}}", "is not valid JSON: a value expected"),
      ("{\"results\": {\"a\": {\"acc,none\": NaN}}}", "has no value for any task"),
      ("{\"results\": {\"a\": {}, \"a\": {}}}", "the key \"a\" occurs twice"), ("[]", "is not a results file"),
      ("{\"results\": []}", "is not a results file"), ("{\"results\": {}}", "has no value for any task"),
      ("{\"results\": {\"a\": {\"acc,none\": \"N/A\", \"alias\": \"a\"}}}", "has no value for any task"),
      ("{\"results\": {\"a\": {\"sample_len\": 5, \"acc_stderr\": 1}}}", "has no value for any task"),
      ("{\"results\": {\"a\": {\"acc,none\": 1e999}}}", "has no value for any task"),
      ("{\"format\": \"vpatch.results.1\", \"tasks\": []}", "does not name its evaluator"),
      ("{\"format\": \"vpatch.results.1\", \"evaluator\": {\"name\": \"e\"}, \"tasks\": {}}", "has no list of tasks"),
    ])
  func malformed(text: String, reason: String) throws {
    let path = try folder.write("results.json", text)
    let error = Records.refusal { _ = try EvaluationResults(path: path) }
    #expect(error?.code == .invalid)
    #expect(error?.reason.contains(reason) == true, "\(error?.description ?? "accepted")")
  }

  @Test(
    "an entry of vpatch's own form that lacks something",
    arguments: [
      ("\"task\": \"t\"", "", "has a task, number 1, without a name"),
      ("\"metric\": \"m\"", "", "without a metric"), ("\"unit\": \"share\"", "", "without a unit"),
      ("\"higher_is_better\": true", "", "without \"higher_is_better\""),
      ("\"value\": 0.5", "\"value\": \"0.5\"", "without a value"), ("\"n\": 2", "\"n\": 3", "with 2 scores for n = 3"),
      ("[1, 0]", "[1, 1]", "with scores whose mean is not its value"), ("[1, 0]", "[1, null]", "not a list of numbers"),
      ("{\"a\": 1}", "{\"a\": []}", "with settings that are not plain values"),
      ("\"settings\"", "\"probe_set\": \"12\", \"settings\"", "with a probe set that is not 64"),
      ("\"settings\"", "\"reference\": 12, \"settings\"", "with a reference that is not 64"),
      ("\"settings\"", "\"role\": \"goal\", \"settings\"", "with a role that is not target, held-out or probe"),
      ("\"settings\"", "\"weights\": [1], \"settings\"", "with weights that are not one number above zero"),
      ("\"settings\"", "\"weights\": [1, 0], \"settings\"", "with weights that are not one number above zero"),
      ("\"settings\"", "\"weights\": [1, 3], \"settings\"", "with scores whose mean is not its value"),
    ])
  func ownEntries(old: String, new: String, reason: String) throws {
    let entry =
      #"{"task": "t", "metric": "m", "unit": "share", "higher_is_better": true, "n": 2, "value": 0.5, "scores": [1, 0], "settings": {"a": 1}}"#
    func file(_ entries: String) throws -> String {
      try folder.write(
        "own.json", #"{"format": "vpatch.results.1", "evaluator": {"name": "e"}, "tasks": [\#(entries)]}"#)
    }
    #expect(try EvaluationResults(path: file(entry)).measurements.count == 1)
    let broken = entry.replacingOccurrences(of: old, with: new.isEmpty ? "\"x\(old.count)\": 0" : new)
    let path = try file(broken)
    #expect(Records.refusal { _ = try EvaluationResults(path: path) }?.reason.contains(reason) == true)
    let twice = try file("\(entry), \(entry)")
    #expect(
      Records.refusal { _ = try EvaluationResults(path: twice) }?.reason.contains("twice with the metric m") == true)
  }

  @Test("a directory, a file that is not there, one that is too large") func paths() throws {
    #expect(
      Records.refusal { _ = try EvaluationResults(path: folder.path) }?.reason
        == "is a folder, not a results file")
    #expect(Records.refusal { _ = try EvaluationResults(path: folder["none"]) }?.code == .io)
    let huge = try folder.write("huge.json", "{")
    #expect(truncate(huge, 257 << 20) == 0)
    #expect(
      Records.refusal { _ = try EvaluationResults(path: huge) }?.reason.contains("the limit is 268435456") == true)
  }

  @Test("a share without a standard error, of which no interval can be made") func noError() throws {
    let comparison = try changed("\"acc_norm_stderr,none\": ", "\"acc_norm_stderr,none\": \"N/A\", \"x\": ")
    // 121 of 200 is a count, and needs none.
    #expect(try records(comparison).records[1].interval?.method == .newcombe)
    let odd = try changed("\"acc_norm,none\": 0.605", "\"acc_norm,none\": 0.6051, \"acc_norm_stderr,x\": 0")
    #expect(try records(odd).records[1].interval?.method == .standardErrors)
    let text = try folder.text("changed.json")
      .replacingOccurrences(of: "\"acc_norm_stderr,none\": ", with: "\"acc_norm_stderr,none\": \"N/A\", \"y\": ")
    let none = try EvaluationResults(path: folder.write("none.json", text))
    let outcome = try records(ResultsComparison(before: lmEval().before, after: none))
    #expect(outcome.records.map(\.task) == ["counting", "gsm8k"])
    #expect(
      outcome.notes == [
        "arc_easy was left out: it has no standard error, and its acc_norm is not a count of right items out of 200, "
          + "so no interval can be computed; give --samples and --base-samples"
      ])
  }

  private func own(_ name: String, _ scores: [Double], root: ContentDigest? = nil, _ more: String) throws
    -> EvaluationResults
  {
    let value = exp((scores[0] + 3 * scores[1]) / 4)
    return try EvaluationResults(
      path: folder.write(
        name,
        """
        {"format": "vpatch.results.1", "evaluator": {"name": "e"}\(root.map { ", \"root\": \"\($0.hex)\"" } ?? ""),
         "tasks": [{"task": "t", "metric": "perplexity", "unit": "perplexity", "higher_is_better": false,
                    "value": \(value), "scores": [\(scores[0]), \(scores[1])], \(more)}]}
        """))
  }

  @Test("scores with weights, and a role that the file gives") func weights() throws {
    let more = #""weights": [1, 3], "role": "probe""#
    let comparison = try ResultsComparison(before: own("a.json", [2, 3], more), after: own("b.json", [2.5, 3], more))
    let record = try #require(comparison.records(reference: Records.base, measured: nil).records.first)
    #expect(record.before == exp(2.75) && record.after == exp(2.875))
    #expect(record.role == .probe)
    #expect(record.items == 2)
    #expect(
      record.interval
        == ChangeInterval.weighted(before: [2, 3], after: [2.5, 3], weights: [1, 3], isExponential: true))
    let other = try own("c.json", [2.5, 3], #""weights": [1.0, 3.0000001]"#)
    let error = Records.refusal {
      _ = try records(ResultsComparison(before: own("a.json", [2, 3], more), after: other))
    }
    #expect(error?.reason == "has different item weights in a.json and c.json")
  }

  @Test("results of other bits than they are taken for") func roots() throws {
    let more = #""weights": [1, 3]"#
    let (base, other) = (Records.base, SHA256Hasher.hash("other"))
    let after = try own("b.json", [2.5, 3], root: Records.tuned, more)
    let ofBase = try ResultsComparison(before: own("a.json", [2, 3], root: base, more), after: after)
    #expect(try ofBase.records(reference: base, measured: Records.tuned).records.count == 1)
    #expect(try ofBase.records(reference: base, measured: nil).records.count == 1)
    for (reference, measured) in [(other, Records.tuned), (base, other)] {
      let error = Records.refusal { _ = try ofBase.records(reference: reference, measured: measured) }
      #expect(error?.code == .refused)
      #expect(error?.reason.contains("not \(other.short)") == true)
    }
    let from = #"\#(more), "reference": "\#(other.hex)""#
    let divergence = try ResultsComparison(before: own("c.json", [2, 3], from), after: own("d.json", [2.5, 3], from))
    let error = Records.refusal { _ = try divergence.records(reference: base, measured: nil) }
    #expect(error?.reason.contains("a divergence from a model with the root \(other.short)") == true)
  }
}
