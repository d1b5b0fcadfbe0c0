import Base
import Foundation
import TestModels
import Testing

@Suite("vpatch score") struct ScoreCommandTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try EvalScene() }

  private func lines(_ run: Command) throws -> [JSON] {
    #expect(run.code == 0, "\(run.errors)")
    return try run.output.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
  }

  @Test("ready ids: PyTorch's log-probabilities, and the loss over the labels", arguments: TinyModel.languageModels)
  func parity(name: String) throws {
    let tiny = try TinyModel(name)
    let (ids, labels) = (try tiny.ids("input_ids"), try tiny.ids("labels"))
    try folder.write("rows.jsonl", #"{"input_ids": \#(ids), "labels": \#(labels)}"# + "\n")
    let rows = try lines(try Command("score", tiny.folder, "--data", folder["rows.jsonl"], "--json"))
    #expect(rows.count == 1 && rows[0]["ids"]?.array?.compactMap(\.int) == ids.map(Int.init))
    let scores = try #require(rows[0]["logprobs"]?.array).compactMap(\.double)
    let logits = try tiny.floats("logits")
    let width = logits.count / ids.count
    let expected = (1..<ids.count).map { i in
      let row = logits[(i - 1) * width..<i * width].map(Double.init)
      return row[Int(ids[i])] - log(row.reduce(0) { $0 + exp($1) })
    }
    #expect(scores.count == expected.count && zip(scores, expected).allSatisfy { abs($0 - $1) < 1e-4 })
    #expect(try abs(#require(rows[0]["loss"]?.double) - Double(tiny.floats("loss")[0])) < 1e-4)
  }

  @Test("rows of every form, one line each; the loss is the answers'") func forms() throws {
    try folder.write(
      "rows.jsonl",
      [
        #"{"messages": [{"role": "user", "content": "cat"}, {"role": "assistant", "content": "dog"}]}"#,
        #"{"prompt": "The cat", "completion": " sat"}"#, "", #"{"text": "The cat sat"}"#,
        #"{"input_ids": [5, 6, 7]}"#, #"{"input_ids": [5]}"#,
        #"{"messages": [{"role": "user", "content": "cat"}]}"#,
      ].joined(separator: "\n"))
    let rows = try lines(try Command("score", scene.base, "--data", folder["rows.jsonl"], "--json"))
    #expect(rows.count == 6)
    for row in rows {
      let (ids, scores) = (try #require(row["ids"]?.array), try #require(row["logprobs"]?.array))
      #expect(scores.count == ids.count - 1 && scores.allSatisfy { $0.double! <= 0 })
    }
    // The completion and the token that ends it.
    let scores = try #require(rows[1]["logprobs"]?.array).compactMap(\.double)
    let text = try lines(try Command("score", scene.base, "--text", "The cat", "--json"))
    let prompt = try #require(text[0]["ids"]?.array).count
    let answer = scores[(prompt - 1)...]
    #expect(answer.count > 1)
    #expect(try abs(#require(rows[1]["loss"]?.double) + answer.reduce(0, +) / Double(answer.count)) < 1e-9)
    // Nothing to learn is nothing to average.
    #expect(rows[4]["loss"] == .null && rows[5]["loss"] == .null)
  }

  @Test("a text as a table; with a patch over the model") func text() throws {
    let run = try Command("score", scene.base, "--text", "The cat\nsat")
    #expect(run.code == 0 && run.output.contains("log-probability") && run.output.contains("loss, nats per token"))
    #expect(run.output.contains("\\n") && run.errors.isEmpty)
    let tuned = try Command("score", scene.sa, "--text", "The cat\nsat").output
    #expect(tuned != run.output)
    #expect(try Command("score", scene.base, "--patch", scene.saPatch, "--text", "The cat\nsat").output == tuned)
    let ids = try lines(try Command("score", scene.base, "--ids", "1, 2,3", "--json"))
    #expect(ids[0]["ids"] == .array([1, 2, 3].map { JSON($0) }))
  }

  @Test("what it refuses") func refusals() throws {
    try folder.write("rows.jsonl", #"{"text": 5}"# + "\n" + #"{"input_ids": [1, 9999]}"#)
    let cases: [(arguments: [String], code: Int32, words: String)] = [
      ([], 64, "Give one of --data, --text and --ids."),
      (["--text", "a", "--ids", "1"], 64, "Give one of"),
      (["--ids", "1,x"], 5, "--ids: 'x' is not a token id; give numbers with commas"),
      (["--ids", "1,710"], 2, "has no token 710: its vocabulary has 710"),
      (["--data", "/nowhere.jsonl"], 1, "cannot be opened"),
      (
        ["--data", folder["rows.jsonl"]], 2,
        "2 rows cannot be used: line 1 has a \"text\" that is not a string; line 2 has the id 9999"
      ),
    ]
    for (arguments, code, words) in cases {
      let run = try Command(Command.path, ["score", scene.base] + arguments)
      #expect(
        run.code == code && run.errors.contains(words) && run.output.isEmpty, "\(arguments): \(run.code) \(run.errors)")
    }
  }
}
