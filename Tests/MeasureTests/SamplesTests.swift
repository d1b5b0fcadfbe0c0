import Base
import TestModels
import Testing

@testable import Measure

@Suite("Samples files") struct SamplesTests {
  let folder: TestFolder
  let results: (before: EvaluationResults, after: EvaluationResults)

  /// A task of four items, of which the base has two right and the tuned model three.
  init() throws {
    folder = try TestFolder()
    func results(_ name: String, _ value: Double, in folder: TestFolder) throws -> EvaluationResults {
      try EvaluationResults(
        path: folder.write(
          "\(name)/results_2026-11-22T10-00-00.1.json",
          """
          {"results": {"t": {"acc,none": \(value), "acc_stderr,none": 0.25, "sample_len": 4}}, "n-shot": {"t": 0},
           "higher_is_better": {"t": {"acc": true}}, "lm_eval_version": "0.4.13", "model_name": "\(name)"}
          """))
    }
    self.results = (try results("base", 0.5, in: folder), try results("tuned", 0.75, in: folder))
    try write("base", scores: ["1", "1", "0", "0"])
    try write("tuned", scores: ["1", "true", "1.0", "0"])
  }

  private func write(
    _ name: String, scores: [String], date: String = "2026-11-22T10-00-00.1", hash: String = "h", task: String = "t"
  ) throws {
    let lines = scores.enumerated().map { i, score in
      #"{"doc_id": \#(i), "filter": "none", "acc": \#(score), "doc_hash": "\#(hash)\#(i)", "prompt_hash": "p", "target_hash": "t"}"#
    }
    // The last line may lack its line feed.
    try folder.write("\(name)/samples_\(task)_\(date).jsonl", lines.joined(separator: "\n"))
  }

  private func outcome() throws -> ResultsComparison.Outcome {
    try ResultsComparison(
      before: results.before, after: results.after, samplesBefore: SamplesFolder(path: folder["base"]),
      samplesAfter: SamplesFolder(path: folder["tuned"])
    ).records(reference: Records.base, measured: nil)
  }

  @Test("numbers and truth values are scores; the items' hash is that of the harness") func scores() throws {
    let record = try outcome().records[0]
    #expect(record.flips == Flips(lost: 0, won: 1))
    #expect(record.probeSet == SHA256Hasher.hash((0..<4).map { "h\($0)pt" }.joined()))
    #expect(record.status == .reported)
  }

  @Test("names that begin alike, and several runs in one folder") func names() throws {
    try write("base", scores: ["0"], task: "t_long")
    try write("base", scores: ["0", "0", "0", "0"], date: "2026-11-21T10-00-00.1")
    #expect(try outcome().records[0].flips == Flips(lost: 0, won: 1))
    try write("tuned", scores: ["1", "1", "1", "0"], date: "2026-11-21T10-00-00.1")
    try write("tuned", scores: ["1", "1", "1", "0"], date: "2026-11-20T10-00-00.1")
    #expect(try outcome().records[0].flips == Flips(lost: 0, won: 1))
    try folder.write("tuned/x", "")
    let moved = try EvaluationResults(path: folder.write("other.json", try folder.bytes(results.after.path)))
    let error = Records.refusal {
      _ = try ResultsComparison(
        before: results.before, after: moved, samplesBefore: SamplesFolder(path: folder["base"]),
        samplesAfter: SamplesFolder(path: folder["tuned"])
      ).records(reference: Records.base, measured: nil)
    }
    #expect(error?.description.contains("has 3 samples files of the task \"t\"; keep only those of one") == true)
  }

  @Test("samples that do not fit are said, or refused") func mismatches() throws {
    try write("tuned", scores: ["1", "1", "1", "1"])
    #expect(try outcome().notes == ["t: the mean of its samples is not its result; compared without samples"])
    #expect(try outcome().records[0].interval?.method == .newcombe)
    try write("tuned", scores: ["1", "1", "\"yes\"", "0"])
    #expect(try outcome().notes == ["t: there are no samples with scores of its items; compared without samples"])
    try write("tuned", scores: ["1", "1", "1", "0"], hash: "other")
    #expect(Records.refusal { _ = try outcome() }?.reason == "has samples of different items before and after")
    try write("tuned", scores: ["1", "1", "1"])
    #expect(Records.refusal { _ = try outcome() }?.reason == "has samples of different items before and after")
    try folder.write("tuned/samples_t_2026-11-22T10-00-00.1.jsonl", "{\"doc_id\": 0}\nno JSON\n")
    #expect(Records.refusal { _ = try outcome() }?.reason == "is not valid JSON in line 2: a value expected at byte 1")
    #expect(Records.refusal { _ = try SamplesFolder(path: folder["none"]) }?.reason == "is not a folder")
  }

  @Test("samples of another evaluation are found out by the hash of their items") func hashes() throws {
    let json = try JSON.parse(folder.bytes(results.after.path))
    let hashed = json.setting("task_hashes", to: .dictionary(["t": .string(SHA256Hasher.hash("another").hex)]))
    let file = try EvaluationResults(path: folder.write("tuned/results_2026-11-22T10-00-00.1.json", hashed.compact()))
    let error = Records.refusal {
      _ = try ResultsComparison(
        before: results.before, after: file, samplesBefore: SamplesFolder(path: folder["base"]),
        samplesAfter: SamplesFolder(path: folder["tuned"])
      ).records(reference: Records.base, measured: nil)
    }
    #expect(error?.description.contains("has other items than results_2026-11-22T10-00-00.1.json") == true)
  }

  @Test("lines longer than a piece that is read, and too long ones") func lines() throws {
    let long = String(repeating: "x", count: 3 << 20)
    let input = try InputFile(path: folder.write("lines", "a\n\n\(long)\nend"))
    var seen: [(Int, Int)] = []
    try input.forEachLine(limit: 4 << 20) { seen.append(($0, $1.count)) }
    #expect(seen.map(\.0) == [1, 2, 3, 4])
    #expect(seen.map(\.1) == [1, 0, 3 << 20, 3])
    let error = Records.refusal { try input.forEachLine(limit: 1 << 20) { _, _ in } }
    #expect(error?.reason == "has more than 1048576 bytes in line 3")
  }
}
