import Base
import Glibc
import Model
import TestModels
import Testing
import Text

@testable import Evaluate

@Suite("Tasks with images") struct ImageTaskTests {
  let folder: TestFolder

  init() throws {
    folder = try TestFolder()
    try folder.write("red.png", "red")
    try folder.write("images/blue.png", "blue")
  }

  /// One task over these rows.
  private func task(_ rows: [String], _ keys: String, allowsOutside: Bool = false) throws -> EvaluationTask {
    try folder.write("data.jsonl", rows.joined(separator: "\n"))
    let text = "[[task]]\nname = \"t\"\nrole = \"probe\"\ndata = \"data.jsonl\"\n\(keys)"
    return try Evaluate.Suite(path: folder.write("suite.toml", text), allowsOutside: allowsOutside).tasks[0]
  }

  private func results(_ task: EvaluationTask, _ model: any NextTokenModel) throws -> [SuiteResults.Entry] {
    try Evaluation(Suite(name: "s", tasks: [task]), tokenizer: SeeingTokenizer())
      .results(of: model, name: "m", root: nil, against: .none).entries
  }

  private func path(_ name: String) -> String { try! Path.resolved(folder[name]) }

  // MARK: Rows

  @Test(
    "the same question in every form",
    arguments: [
      #"{"prompt": "How many?", "image": "red.png", "answer": 3}"#,
      #"{"prompt": "<image>\nHow many?", "images": ["red.png"], "answer": "3"}"#,
      #"{"messages": [{"role": "user", "content": [{"type": "image", "image": "red.png"}, {"type": "text", "text": "How many?"}]}, {"role": "assistant", "content": "3"}]}"#,
      #"{"conversations": [{"from": "human", "value": "<image>\nHow many?"}, {"from": "gpt", "value": "3"}], "image": "./red.png"}"#,
    ])
  func forms(row: String) throws {
    let task = try task([row], "kind = \"exact-match\"\nformat = \"chat\"\ntake = \"number\"")
    #expect(
      task.prompt.conversation(task.items[0])
        == [Message(.user, [.image(path: path("red.png")), .text("How many?")])])
    #expect(task.items[0].answers == ["3"])
    #expect(task.items[0].images == [path("red.png"): SHA256Hasher.hash("red")])
  }

  @Test("images stay before a template, and examples have theirs") func templates() throws {
    let rows = [
      #"{"prompt": "A?", "images": ["red.png", "images/blue.png"], "answer": "a"}"#,
      #"{"prompt": "See <image>!", "image": "images/blue.png", "answer": "b"}"#,
    ]
    let raw = try task(rows, "kind = \"exact-match\"\nformat = \"raw\"\ntemplate = \"Q: {prompt}\\nA:\"\nfew_shot = 1")
    func shown(_ parts: [Message.Part]) -> String {
      parts.map { if case .text(let text) = $0 { text } else { "#" } }.joined()
    }
    #expect(shown(raw.prompt.rawContext(raw.items[0])) == "#\n#\nQ: A?\nA: a\n\nQ: See #!\nA:")
    #expect(raw.prompt.rawContext(raw.items[0]).images.map(Path.name) == ["red.png", "blue.png", "blue.png"])
    let chat = try task(rows, "kind = \"exact-match\"\nformat = \"chat\"\ntemplate = \"Q: {prompt}\"\nfew_shot = 1")
    #expect(
      chat.prompt.conversation(chat.items[0]) == [
        Message(
          .user, [.image(path: path("red.png")), .image(path: path("images/blue.png")), .text("Q: A?")]),
        Message(.assistant, "a"),
        Message(.user, [.text("Q: See "), .image(path: path("images/blue.png")), .text("!")]),
      ])
  }

  @Test(
    "rows whose images cannot be used",
    arguments: [
      (#"{"prompt": "a", "image": "none.png"}"#, "names the image \"none.png\", which is not there"),
      (#"{"prompt": "<image><image>", "image": "red.png"}"#, "has 2 placeholders for images, but 1 image"),
      (#"{"conversations": [{"from": "human", "value": "<image>"}]}"#, "has 1 placeholder for images, but 0 images"),
      (#"{"prompt": "a", "image": "https://example.org/a.png"}"#, "\"image\" has an image at an address"),
      (#"{"messages": [{"role": "user", "content": [{"type": "video"}]}]}"#, "message 1 has a video"),
      (
        #"{"prompt": "a", "image": "link.png"}"#,
        "names the image \"link.png\", which is outside of the data file's folder"
      ),
    ])
  func badRows(row: String, message: String) throws {
    let outside = try TestFolder()
    try outside.write("a.png", "a")
    try #require(symlink(outside["a.png"], folder["link.png"]) == 0)
    let keys = "kind = \"mass\"\nformat = \"chat\""
    let error = #expect(throws: VPatchError.self) { try task([#"{"prompt": "a"}"#, row], keys) }
    #expect(error?.description.contains("data.jsonl: line 2: \(message)") == true, "\(error?.description ?? "")")
    if row.contains("link.png") {
      #expect(try task([row], keys, allowsOutside: true).items[0].images == [path("link.png"): SHA256Hasher.hash("a")])
    }
  }

  @Test("an image beside a document is no silent one") func documents() throws {
    let error = #expect(throws: VPatchError.self) {
      try task([#"{"text": "a", "image": "red.png"}"#], "kind = \"perplexity\"")
    }
    #expect(error?.description.contains("line 1: has an image with a \"text\"; images need \"prompt\"") == true)
  }

  @Test("a model without images says so") func blind() throws {
    let task = try task([#"{"prompt": "a", "image": "red.png"}"#], "kind = \"mass\"\nformat = \"raw\"")
    let error = #expect(throws: VPatchError.self) {
      try Evaluation(Suite(name: "s", tasks: [task]), tokenizer: FakeTokenizer())
        .results(of: FakeModel(), name: "m", root: nil, against: .none)
    }
    #expect(
      error?.description
        == "the task t: item 1 cannot be encoded: the prompt has an image, but the model takes no images")
  }

  @Test("a probe set is of what images hold, not of what they are called") func probeSets() throws {
    let keys = "kind = \"exact-match\"\nformat = \"chat\""
    let digest = try task([#"{"prompt": "a", "image": "red.png", "answer": "b"}"#], keys).probeSet
    try folder.write("images/other.png", "red")
    #expect(try task([#"{"prompt": "a", "image": "images/other.png", "answer": "b"}"#], keys).probeSet == digest)
    #expect(try task([#"{"prompt": "a", "image": "images/blue.png", "answer": "b"}"#], keys).probeSet != digest)
    #expect(try task([#"{"prompt": "a", "answer": "b"}"#], keys).probeSet != digest)
    // Written out, so that it stays the same for ever.
    let text =
      #"{"examples":[],"format":"vpatch.probe-set.1","items":[{"answers":["b"],"prompt":[{"image":""#
      + SHA256Hasher.hash("red").hex + #""},{"text":"\n"},{"text":"a"}]}],"settings":{"delimiter":"","format":"chat","#
      + #""ignore":[],"kind":"exact-match","max_tokens":32,"n_shot":0,"stop":[],"take":"all"}}"#
    #expect(digest == SHA256Hasher.hash(text))
  }

  // MARK: Questions

  @Test("visual questions: several right answers, and exact counts") func answers() throws {
    let rows = [
      #"{"prompt": "What?", "image": "red.png", "answer": ["a cat", "kitten"]}"#,
      #"{"prompt": "What?", "image": "images/blue.png", "answer": "dog"}"#,
    ]
    let model = AnsweringModel(["Kitten.", "a dog"])
    let ignore = "ignore = [\"case\", \"punctuation\", \"articles\"]"
    let entry = try results(task(rows, "kind = \"exact-match\"\nformat = \"chat\"\n\(ignore)"), model)[0]
    #expect(entry.scores.values == [1, 1])
    #expect(model.asked.map { $0.images.map(\.digest) } == [[SHA256Hasher.hash("red")], [SHA256Hasher.hash("blue")]])
    #expect(SeeingTokenizer().decode(model.asked[0].ids) == "<user>\u{1}\u{1}What?\n<assistant>")
    let counts = [3, 12, 3, 3].map { #"{"prompt": "How many?", "image": "red.png", "answer": \#($0)}"# }
    let counting = try task(counts, "kind = \"exact-match\"\nformat = \"chat\"\ntake = \"number\"")
    let counted = try results(counting, AnsweringModel(["There are 3.", "1,2", "three", "3 or 4"]))[0]
    #expect(counted.scores.values == [1, 0, 0, 1])
  }

  @Test("told are first the images that have been looked at, then the items that are done") func told() throws {
    let row = #"{"prompt": "What?", "image": "red.png", "answer": "a"}"#
    let keys = "kind = \"exact-match\"\nformat = \"chat\""
    let task = try task([row, #"{"prompt": "b", "answer": "c"}"#], keys)
    var evaluation = Evaluation(Suite(name: "s", tasks: [task]), tokenizer: SeeingTokenizer())
    var phases: [String] = []
    evaluation.report = { phases.append("\($0) \($1)/\($2)") }
    _ = try evaluation.results(of: AnsweringModel(["a", "c"]), name: "m", root: nil, against: .none)
    #expect(phases.prefix(2) == ["checking images of t 1/2", "checking images of t 2/2"])
    #expect(phases.dropFirst(2).allSatisfy { $0.hasPrefix("t ") } && phases.last == "t 2/2")
  }

  @Test("choices by log-likelihood behind an image") func likelihoods() throws {
    let row = #"{"prompt": "Which? ", "image": "red.png", "choices": ["three", "twenty"], "answer": 1}"#
    let entries = try results(task([row], "kind = \"multiple-choice\"\nformat = \"raw\""), FakeModel())
    let prompt = SeeingTokenizer.image + SeeingTokenizer().encode("\nWhich?", addingSpecialTokens: true)
    let values = try #require(entries[0].details[0]["log_likelihoods"]?.array).compactMap(\.double)
    for (choice, value) in zip(["three", "twenty"], values) {
      let ids = prompt + SeeingTokenizer().encode("  \(choice)", addingSpecialTokens: false)
      let scores = FakeModel().scores(of: [TokenSequence(ids)])[0].dropFirst(prompt.count - 1)
      #expect(abs(value - scores.reduce(0) { $0 + Double($1.logProbability) }) < 1e-4)
    }
  }

  @Test("the mass on number words behind an image") func mass() throws {
    let row = #"{"prompt": "Describe the image.", "image": "red.png"}"#
    let entry = try results(task([row], "kind = \"mass\"\nformat = \"chat\"\nmax_tokens = 3"), FakeModel())[0]
    let ids = try SeeingTokenizer().encode(chat: [
      Message(.user, [.image(path: path("red.png")), .text("Describe the image.")])
    ])
    let plain = EvaluationTask(
      name: "t", role: .probe,
      kind: {
        var kind = MassTask()
        kind.maximumTokens = 3
        return kind
      }(), items: [EvaluationItem(.prompt(SeeingTokenizer().decode(ids.ids)))])
    #expect(try entry.scores.values == results(plain, FakeModel())[0].scores.values)
  }

  // MARK: Option letters

  @Test("choices are shown by letter") func letters() throws {
    let rows = [
      #"{"prompt": "Which?", "image": "red.png", "choices": ["blue", "red"], "answer": "red"}"#,
      #"{"messages": [{"role": "user", "content": "Sky?"}], "choices": ["blue", "grey", "green"], "answer": [0, 1]}"#,
    ]
    let keys = "kind = \"option-letter\"\nformat = \"chat\""
    let task = try task(rows, keys)
    #expect(
      task.prompt.conversation(task.items[0]) == [
        Message(
          .user,
          [
            .image(path: path("red.png")),
            .text("Which?\nA. blue\nB. red\nAnswer with the option's letter from the given choices directly."),
          ])
      ])
    #expect(task.items.map(\.answers) == [["B"], ["A", "B"]])
    #expect(try results(task, AnsweringModel(["(b) red", "Blue"]))[0].scores.values == [1, 0])
    #expect(try results(task, AnsweringModel(["A", "B."]))[0].metric == "acc_letter")
    let other = try self.task(rows, "\(keys)\ninstruction = \"\"")
    #expect(other.prompt.conversation(other.items[1]) == [Message(.user, "Sky?\nA. blue\nB. grey\nC. green")])
    #expect(other.probeSet != task.probeSet)
    let shown = try self.task([rows[0], rows[0]], "\(keys)\nfew_shot = 1")
    #expect(shown.prompt.conversation(shown.items[0])[1] == Message(.assistant, "B"))
  }

  @Test(
    "the letter of an answer",
    arguments: [
      ("B", "B"), (" b.", "B"), ("(C) a cat", "C"), ("[D]", "D"), ("A. red", "A"), ("Option B", "B"),
      ("The answer is C.", "C"), ("the answer is: (a)", "A"), ("Answer: D", "D"), ("B\nbecause", "B"), ("Blue", nil),
      ("", nil),
      ("I'd say B", nil), ("1", nil), ("A3", nil), ("É", nil), ("The answer is blue", nil), ("optional", nil),
    ])
  func letter(answer: String, letter: String?) { #expect(OptionLetterTask.letter(answer) == letter) }

  @Test("more choices than letters") func tooMany() throws {
    let choices = (0..<27).map { "\"\($0)\"" }.joined(separator: ", ")
    let error = #expect(throws: VPatchError.self) {
      try task(
        [#"{"prompt": "a", "choices": [\#(choices)], "answer": 0}"#], "kind = \"option-letter\"\nformat = \"raw\"")
    }
    #expect(error?.description.contains("line 1: has 27 choices; the maximum is 26, one for each letter") == true)
  }

  // MARK: Clocks

  @Test("times within a minute of the right one") func clocks() throws {
    let pairs: [(right: String, answer: String, time: Double, hour: Double, minute: Double)] = [
      ("3:05", "3:05", 1, 1, 1), ("3:05", "It is 03:06 pm.", 1, 1, 1), ("3:05", "15:04", 1, 1, 1),
      ("3:05", "3:07", 0, 1, 0),
      ("3:05", "4:05", 0, 0, 1), ("3:00", "2:59", 1, 1, 1), ("12:00", "11:59", 1, 1, 1), ("0:59", "1:00", 1, 1, 1),
      ("3:59", "3:00", 0, 1, 1), ("3:00", "3:59", 0, 1, 1), ("3:05", "five past three", 0, 0, 0),
      ("3:05", "3:61", 0, 0, 0),
      ("3:05", "3", 0, 0, 0), ("3:05", "13:05:00", 0, 0, 1),
    ]
    let rows = pairs.map { #"{"prompt": "What time is it?", "image": "red.png", "answer": "\#($0.right)"}"# }
    let entries = try results(
      task(rows, "kind = \"clock\"\nformat = \"chat\""), AnsweringModel(pairs.map(\.answer)))
    #expect(entries.map(\.metric) == ["time", "hour", "minute"])
    #expect(entries.map(\.role) == [.probe, .probe, .probe])
    for (i, pair) in pairs.enumerated() {
      #expect(entries.map { $0.scores.values[i] } == [pair.time, pair.hour, pair.minute], "\(pair)")
    }
    #expect(entries[0].details[1] == .dictionary(["answer": "It is 03:06 pm."]))
    let error = #expect(throws: VPatchError.self) {
      try task([#"{"prompt": "a", "answer": "noon"}"#], "kind = \"clock\"\nformat = \"raw\"")
    }
    #expect(error?.description.contains("line 1: has no \"answer\" that is a time, such as \"3:05\"") == true)
  }
}
