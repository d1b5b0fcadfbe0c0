import Base
import Foundation
import TestModels
import Testing
import Text

@testable import Evaluate

@Suite("Suites") struct SuiteTests {
  let folder: TestFolder

  init() throws {
    folder = try TestFolder()
    try folder.write("text.txt", "One.\nTwo.\n%\n\n%\r\nThree.\n")
    try folder.write(
      "rows.jsonl", #"{"prompt": "a b a", "answer": 2}"# + "\n\n" + #"{"prompt": "b", "completion": "0"}"#)
    try folder.write(
      "chat.jsonl",
      #"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "id": 3}"#)
    try folder.write(
      "choices.jsonl",
      #"{"prompt": "Sky?", "choices": ["blue", "red"], "answer": "blue"}"# + "\n"
        + #"{"prompt": "Grass?", "choices": ["red", "green"], "answer": 1}"#)
  }

  private func suite(_ text: String) throws -> Evaluate.Suite {
    try Evaluate.Suite(path: folder.write("suite.toml", text))
  }

  private func refusal(_ text: String) -> VPatchError? {
    do { _ = try suite(text) } catch { return error as? VPatchError }
    return nil
  }

  /// One task with these keys besides name and role.
  private func task(_ keys: String) throws -> EvaluationTask {
    try suite("[[task]]\nname = \"t\"\nrole = \"probe\"\n\(keys)").tasks[0]
  }

  @Test("every kind, with its defaults") func kinds() throws {
    let suite = try suite(
      """
      name = "all"
      [[task]]
      name = "text"
      kind = "perplexity"
      role = "held-out"
      data = "text.txt"
      [[task]]
      name = "choice"
      kind = "multiple-choice"
      role = "held-out"
      data = "choices.jsonl"
      format = "raw"
      [[task]]
      name = "match"
      kind = "exact-match"
      role = "target"
      data = "rows.jsonl"
      format = "chat"
      take = "number"
      ignore = ["case"]
      stop = ["\\n"]
      [[task]]
      name = "drift"
      kind = "kl"
      role = "held-out"
      data = "text.txt"
      context = 64
      [[task]]
      name = "mass"
      kind = "mass"
      role = "probe"
      data = "chat.jsonl"
      format = "chat"
      words = ["red", "blue"]
      """)
    #expect(suite.name == "all")
    #expect(suite.tasks.map(\.name) == ["text", "choice", "match", "drift", "mass"])
    #expect(
      suite.tasks.map { type(of: $0.kind).name } == ["perplexity", "multiple-choice", "exact-match", "kl", "mass"])
    #expect(suite.tasks[0].items == [EvaluationItem(.text("One.\nTwo.")), EvaluationItem(.text("Three.\n"))])
    #expect(suite.tasks[1].items[1] == EvaluationItem(.prompt("Grass?"), choices: ["red", "green"], correct: [1]))
    #expect(suite.tasks[2].items.map(\.answers) == [["2"], ["0"]])
    #expect(suite.tasks[4].items == [EvaluationItem(.messages([Message(.user, "Hi")]))])
    let mass = try #require(suite.tasks[4].kind as? MassTask)
    let text = try #require(suite.tasks[0].kind as? PerplexityTask)
    #expect(mass.words == .list(["red", "blue"]))
    #expect(text.context == 1024 && text.stride == 512)
  }

  @Test(
    "what is no suite",
    arguments: [
      ("name = ", "line 1: expected a value"),
      ("[[task]]\nname = 3", "line 2: task 1 has a \"name\" that is not a string"),
      ("\nnmae = \"x\"\n[[task]]", "line 2: has the unknown key \"nmae\"; known keys are name"),
      ("name = \"x\"", ": has no task"), ("task = 3", "line 1: has the unknown key \"task\""),
      ("[[tasks]]\n", "line 1: has a table [[tasks]]; tasks are declared as [[task]]"),
      ("[[task]]\nkind = \"kl\"", "task 1 has no \"name\""),
      ("[[task]]\nname = \"a\"\n[[task]]\nname = \"a\"", "line 3: has two tasks called \"a\""),
      ("[[task]]\nname = \"a\"", "the task \"a\" has no \"kind\"; kinds are \"perplexity\", \"mass\", \"kl\""),
      ("[[task]]\nname = \"a\"\nkind = \"f1\"", "line 3: the task \"a\" has a \"kind\" that is not \"perplexity\""),
      ("[[task]]\nname = \"a\"\nkind = \"kl\"", "has no \"role\"; roles are \"target\", \"held-out\" or \"probe\""),
      ("[[task]]\nname = \"a\"\nkind = \"kl\"\nrole = \"probe\"", "has no \"data\""),
      (String(repeating: "#", count: 1_100_000), "the limit is 1048576"),
    ])
  func malformed(text: String, message: String) {
    let error = refusal(text)
    #expect(error?.code == .invalid)
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "accepted")")
  }

  @Test(
    "keys of a task that do not hold",
    arguments: [
      ("kind = \"perplexity\"\ndata = \"text.txt\"\nmax_tokens = 3", "has the unknown key \"max_tokens\""),
      ("kind = \"perplexity\"\ndata = \"text.txt\"\nformat = \"raw\"", "has the unknown key \"format\""),
      ("kind = \"perplexity\"\ndata = \"text.txt\"\nstride = 1024", "has a \"stride\" that is not smaller"),
      ("kind = \"perplexity\"\ndata = \"text.txt\"\nlimit = 0", "has a \"limit\" that is not an integer from 1"),
      ("kind = \"perplexity\"\ndata = \"text.txt\"\nlimit = 1.5", "has a \"limit\" that is not an integer from 1"),
      ("kind = \"perplexity\"\ndata = \"rows.jsonl\"", "rows.jsonl: line 1: has no \"text\""),
      ("kind = \"perplexity\"\ndata = \"none.txt\"", "none.txt: cannot be opened"),
      ("kind = \"mass\"\ndata = \"text.txt\"\nformat = \"raw\"", "is a text file, but the task needs rows"),
      ("kind = \"mass\"\ndata = \"rows.jsonl\"", "has no \"format\"; write format = \"chat\""),
      ("kind = \"mass\"\ndata = \"chat.jsonl\"\nformat = \"raw\"", "which need format = \"chat\""),
      ("kind = \"mass\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\nsystem = \"x\"", "which needs format = \"chat\""),
      ("kind = \"mass\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\ntemplate = \"x\"", "\"template\" without {prompt}"),
      ("kind = \"mass\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\nwords = []", "has an empty list of \"words\""),
      ("kind = \"mass\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\nfew_shot = 1", "needs \"few_shot_data\""),
      ("kind = \"kl\"\ndata = \"text.txt\"\nformat = \"raw\"", "has texts instead of prompts"),
      ("kind = \"exact-match\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\nfew_shot = 2", "too few items for 2 examples"),
      (
        "kind = \"exact-match\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\nignore = [\"x\"]",
        "\"ignore\" that is not a list"
      ),
      (
        "kind = \"exact-match\"\ndata = \"choices.jsonl\"\nformat = \"chat\"\nstop = [\"\"]",
        "an empty text in \"stop\""
      ),
      ("kind = \"multiple-choice\"\ndata = \"choices.jsonl\"\nformat = \"raw\"\nmetrics = []", "has no \"metrics\""),
      ("kind = \"multiple-choice\"\ndata = \"rows.jsonl\"\nformat = \"raw\"", "line 1: has no \"choices\""),
    ])
  func keys(keys: String, message: String) {
    let error = refusal("[[task]]\nname = \"t\"\nrole = \"probe\"\n\(keys)")
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "accepted")")
  }

  @Test("data outside of the suite's folder is not read unasked", arguments: ["absolute", "above", "link", "shots"])
  func outside(way: String) throws {
    let outside = try TestFolder()
    try outside.write("rows.jsonl", #"{"prompt": "a", "answer": "b"}"#)
    try #require(symlink(outside["rows.jsonl"], folder["link.jsonl"]) == 0)
    let name =
      ["above": "../\(Path.name(outside.path))/rows.jsonl", "link": "link.jsonl"][way] ?? outside["rows.jsonl"]
    let head = "[[task]]\nname = \"t\"\nrole = \"probe\"\nkind = \"exact-match\"\nformat = \"raw\"\n"
    let keys =
      way == "shots"
      ? "data = \"rows.jsonl\"\nfew_shot = 1\nfew_shot_data = \"\(name)\"" : "data = \"\(name)\""
    let error = refusal(head + keys)
    #expect(error?.code == .invalid)
    #expect(
      error?.description.contains("the task \"t\" names the data \"\(name)\", which is outside of the suite's folder")
        == true, "\(error?.description ?? "accepted")")
    let allowed = try Evaluate.Suite(path: folder.write("suite.toml", head + keys), allowsOutside: true)
    #expect(allowed.tasks[0].items.count == (way == "shots" ? 2 : 1))
    // An absolute path that stays inside is as good as another.
    #expect(try suite(head + "data = \"\(folder["rows.jsonl"])\"").tasks[0].items.count == 2)
  }

  @Test(
    "rows that are none",
    arguments: [
      ("[]", "is not a JSON object"), ("{", "is not valid JSON"),
      (#"{"prompt": ""}"#, "has a \"prompt\" that is not a string"),
      (#"{"id": 1}"#, "has neither \"prompt\" nor \"messages\""), (#"{"prompt": "a"}"#, "has no \"answer\""),
      (#"{"prompt": "a", "answer": " "}"#, "has no \"answer\""),
      (#"{"prompt": "a", "answer": {}}"#, "has an \"answer\" that is not a string, number"),
      (#"{"messages": [{"role": 3, "content": "a"}]}"#, "message 1 has a \"role\" that is not a string"),
      (#"{"messages": []}"#, "has an empty list as its \"messages\""),
      (#"{"messages": [{"role": "system", "content": "a"}]}"#, "has messages that do not end with one of the user"),
    ])
  func rows(row: String, message: String) throws {
    try folder.write("bad.jsonl", #"{"prompt": "a", "answer": ["b", "c"]}"# + "\n" + row)
    let error = refusal(
      "[[task]]\nname = \"t\"\nrole = \"target\"\nkind = \"exact-match\"\nformat = \"chat\"\ndata = \"bad.jsonl\"")
    #expect(error?.description.contains("bad.jsonl: line 2: \(message)") == true, "\(error?.description ?? "accepted")")
  }

  @Test(
    "choices that are none",
    arguments: [
      (#"["a"], "answer": 0"#, "a list of at least two"), (#"["a", ""], "answer": 0"#, "that are not empty"),
      (#"["a", "b"]"#, "has no \"answer\""),
      (#"["a", "b"], "answer": 2"#, "has the answer 2, which is no index of its 2 choices"),
      (#"["a", "b"], "answer": "c""#, "has an answer that is not one of its choices"),
    ])
  func choices(rest: String, message: String) throws {
    try folder.write("bad.jsonl", #"{"prompt": "q", "choices": \#(rest)}"#)
    let error = refusal(
      "[[task]]\nname = \"t\"\nrole = \"target\"\nkind = \"multiple-choice\"\nformat = \"raw\"\ndata = \"bad.jsonl\"")
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "accepted")")
  }

  @Test("prompts as they are shown") func prompts() throws {
    let raw = try task(
      "kind = \"exact-match\"\ndata = \"rows.jsonl\"\nformat = \"raw\"\ntemplate = \"Q: {prompt}\\nA:\"\nfew_shot = 1")
    #expect(raw.items.count == 1)
    #expect(raw.prompt.rawContext(raw.items[0]).text == "Q: a b a\nA: 2\n\nQ: b\nA:")
    let chat = try task(
      """
      kind = "mass"
      data = "chat.jsonl"
      format = "chat"
      system = "Be brief."
      few_shot = 1
      few_shot_data = "rows.jsonl"
      """)
    #expect(
      chat.prompt.conversation(chat.items[0]) == [
        Message(.system, "Be brief."), Message(.user, "a b a"), Message(.assistant, "2"), Message(.user, "Hi"),
      ])
    let choice = try task("kind = \"multiple-choice\"\ndata = \"choices.jsonl\"\nformat = \"raw\"\nfew_shot = 1")
    #expect(choice.prompt.rawContext(choice.items[0]).text == "Sky? blue\n\nGrass?")
  }

  @Test("the digest of a probe set is of items and settings, and of nothing else") func probeSets() throws {
    let keys = "kind = \"exact-match\"\ndata = \"rows.jsonl\"\nformat = \"chat\"\n"
    let digest = try task(keys).probeSet
    try folder.write(
      "again.jsonl", #"{"id": 7, "prompt": "a b a", "answer": "2"}"# + "\n" + #"{"prompt": "b", "answer": "0"}"#)
    #expect(try task("kind = \"exact-match\"\ndata = \"again.jsonl\"\nformat = \"chat\"").probeSet == digest)
    for other in [
      "max_tokens = 33", "limit = 1", "system = \"x\"", "take = \"line\"", "ignore = [\"case\"]", "stop = [\"x\"]",
    ] {
      #expect(try task(keys + other).probeSet != digest, "\(other)")
    }
    // Written out, so that it stays the same for ever.
    let item = #"{"answers":["2"],"prompt":"a b a"},{"answers":["0"],"prompt":"b"}"#
    let text =
      #"{"examples":[],"format":"vpatch.probe-set.1","items":[\#(item)],"settings":{"delimiter":"","format":"chat","#
      + #""ignore":[],"kind":"exact-match","max_tokens":32,"n_shot":0,"stop":[],"take":"all"}}"#
    #expect(digest == SHA256Hasher.hash(text))
  }
}
