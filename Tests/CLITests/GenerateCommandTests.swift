import Base
import Foundation
import TestModels
import Testing

@Suite("vpatch generate") struct GenerateCommandTests {
  let scene: EvalScene

  init() throws { scene = try EvalScene() }

  private func generate(_ more: String...) throws -> Command {
    try Command(Command.path, ["generate", scene.base, "--threads", "1", "--max-tokens", "6"] + more)
  }

  private func json(_ run: Command) throws -> [JSON] {
    #expect(run.code == 0, "\(run.errors)")
    return try run.output.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
  }

  /// Standard input that is not empty.
  private func shell(_ line: String, _ arguments: String...) throws -> Command {
    try Command(
      "/bin/bash",
      ["-c", "printf '\(line)' | \"$@\"", "sh", Command.path, "generate", scene.base, "--threads", "1"] + arguments)
  }

  @Test("an answer: the most probable tokens, the text alone on standard output") func answer() throws {
    let run = try generate("How many cats?")
    #expect(run.code == 0 && !run.output.isEmpty && run.says("note: stopped after 6 tokens; --max-tokens allows more"))
    let quiet = try generate("How many cats?", "-q")
    #expect(quiet.output == run.output && quiet.errors.isEmpty)
    let json = try json(try generate("How many cats?", "--json"))
    #expect(json.count == 1 && json[0]["text"]?.string.map { $0 + "\n" } == run.output)
    #expect(json[0]["ids"]?.array?.count == 6 && json[0]["ended"] == .bool(false))
    // Without the template the prompt is what it is.
    let raw = try self.json(try generate("How many cats?", "--raw", "--json"))
    #expect(try #require(raw[0]["prompt_tokens"]?.int) < #require(json[0]["prompt_tokens"]?.int))
  }

  @Test("drawn: the seed decides") func drawn() throws {
    func text(_ seed: Int) throws -> String {
      try generate("cat", "--temperature", "1.5", "--seed", "\(seed)", "--top-k", "200", "--top-p", "0.99").output
    }
    let first = try text(1)
    #expect(try text(1) == first)
    #expect(try (2...4).map(text).contains { $0 != first })
    #expect(try generate("cat", "--temperature", "1.5", "--top-k", "1").output == generate("cat").output)
  }

  @Test("before and after a patch; by its name in the store, or a stack") func both() throws {
    let run = try generate("cat", "--patch", "sa", "--both", "--store", scene.folder.store)
    let (base, tuned) = (try generate("cat").output, try generate("cat", "--patch", scene.saPatch).output)
    #expect(base != tuned)
    #expect(run.output == "── \(scene.base)\n\(base)── \(scene.base) + sa\n\(tuned)", "\(run.errors)")
    // The patch in memory is the model that it makes.
    #expect(try Command("generate", scene.sa, "cat", "--max-tokens", "6").output == tuned)
    let lines = try json(try generate("cat", "--patch", scene.saPatch, "--both", "--json"))
    #expect(lines.map { $0["model"]?.string } == [scene.base, "\(scene.base) + \(scene.saPatch)"])
    let half = try generate("cat", "--patch", "\(scene.saPatch)@0.5", "--patch", scene.mlpPatch)
    #expect(half.code == 0, "\(half.errors)")
  }

  @Test("a prompt, or a conversation, on standard input") func standardInput() throws {
    let prompt = try shell("How many\ncats?", "-", "--json", "--max-tokens", "2")
    #expect(
      try json(prompt)[0]["text"] == json(try generate("How many\ncats?", "--json", "--max-tokens", "2"))[0]["text"])
    let talk = try json(try shell(#"cat\ndog\n\ncat\n"#, "--json", "--max-tokens", "2"))
    #expect(talk.count == 3)
    let lengths = talk.compactMap { $0["prompt_tokens"]?.int }
    // The second message has the first and its answer before it; after an empty line nothing is left of them.
    #expect(lengths[1] > lengths[0] && lengths[2] == lengths[0])
    #expect(talk[2]["text"] == talk[0]["text"])
  }

  @Test("what it refuses") func refusals() throws {
    let cases: [(arguments: [String], code: Int32, words: String)] = [
      (["cat", "--both"], 64, "--both requires --patch or --stack"),
      (["cat", "--max-tokens", "0"], 64, "--max-tokens must be at least 1"),
      (["cat", "--temperature", "-1"], 64, "--temperature"),
      (["cat", "--top-p", "0"], 64, "--top-p must be greater than 0"),
      (["--raw"], 64, "--raw requires a prompt"),
      (
        ["cat", "--chat-template", "foo"], 5,
        "there is no chat template \"foo\", and no file of that name; known are chatml"
      ),
      (["cat", "--patch", "/nowhere.vpatch"], 1, "does not exist"),
      (["cat", "--chat-template", "llama3"], 5, "has no token that ends an answer"),
    ]
    for (arguments, code, words) in cases {
      let run = try Command(Command.path, ["generate", scene.base] + arguments)
      #expect(
        run.code == code && run.errors.contains(words) && run.output.isEmpty, "\(arguments): \(run.code) \(run.errors)")
    }
    let bare = try Command("generate", TinyModel("tiny-llama").folder, "cat")
    #expect(bare.code == 2 && bare.errors.contains("has no tokenizer.json"))
    let bf16 = try Command("generate", scene.base, "cat", "--compute", "bf16", environment: ["VPATCH_ISA": "avx2"])
    #expect(bf16.code == 5 && bf16.says("use --compute f32"))
    let wrong = try Command("generate", TinyModel("tiny-llama").folder, "cat", "--patch", scene.saPatch)
    #expect(wrong.code == 3, "\(wrong.errors)")
  }
}
