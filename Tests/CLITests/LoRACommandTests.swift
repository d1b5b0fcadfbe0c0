import Base
import PatchFormat
import TestModels
import Testing

@Suite("Training a LoRA adapter from the command line") struct LoRACommandTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }

  init() throws {
    scene = try EvalScene()
    try folder.write("learn.jsonl", #"{"prompt": "The cat", "completion": " sat"}"#)
  }

  private func train(_ more: String...) throws -> Command { try train(more) }

  @Test("trained, exported for PEFT, and created again: the same patch") func story() throws {
    let run = try train("--recipe", "sa-proj", "--lora", "2", "--keep-adapter", "--dropout", "0.1")
    #expect(run.code == 0, "\(run.errors)")
    #expect(run.errors.contains("lora      factors of rank 2, scale 2.00, dropout 0.1"), "\(run.errors)")
    let record = try Patch(path: folder["new.vpatch"]).annotations["training"]
    #expect(record?["settings"]?["lora"]?.int == 2 && record?["settings"]?["lora_dropout"]?.double == 0.1)
    #expect(try Command("export", folder["new.vpatch"], "--peft", folder["adapter"]).code == 0)
    let again = try Command(
      "create", scene.base, folder["adapter"], "-o", folder["again.vpatch"], "--no-store", "--recipe", "sa-proj")
    #expect(again.code == 0, "\(again.errors)")
    #expect(
      try Patch(path: folder["again.vpatch"]).identity == Patch(path: folder["new.vpatch"]).identity)
    let shown = try Command("show", folder["new.vpatch"])
    #expect(shown.code == 0 && shown.output.contains("adapter"), "\(shown.output)")
  }

  @Test("a plan says what is tuned, and what is left out") func plan() throws {
    let run = try train("--recipe", "llm", "--lora", "4", "--dry-run", "--json")
    let json = try JSON.parse(Array(run.output.utf8))
    #expect(json["lora"]?["rank"]?.int == 4 && json["lora"]?["alpha"]?.double == 8)
    let text = try train("--recipe", "llm", "--lora", "4", "--dry-run")
    #expect(text.errors.contains("without factors, which LoRA leaves as they are"), "\(text.errors)")
  }

  @Test("what cannot be is refused before anything is computed") func refused() throws {
    for option in [["--alpha", "4"], ["--rslora"], ["--dropout", "0.1"], ["--keep-adapter"]] {
      let run = try Command(
        Command.path,
        ["train", scene.base, "--data", folder["learn.jsonl"], "-o", folder["x"], "--recipe", "mlp"] + option)
      #expect(run.code == 64 && run.errors.contains("\(option[0]) requires --lora"), "\(run.errors)")
    }
    for (more, words) in [
      (["--lora", "0"], "--lora is 0"), (["--lora", "5000"], "--lora is 5000"),
      (["--lora", "2", "--alpha", "0"], "--alpha is 0"), (["--lora", "2", "--dropout", "1"], "--dropout is 1"),
      (["--lora", "1000"], "larger than its smaller side"),
    ] {
      let run = try train(["--recipe", "mlp"] + more)
      #expect(run.code == 5 && run.errors.contains(words), "\(run.errors)")
      #expect(!folder.exists("new.vpatch"))
    }
    // The remedy of the last.
    let run = try train("--recipe", "mlp", "--lora", "1000")
    let most = try #require(run.errors.firstMatch(of: #/use --lora (\d+) or less/#)).output.1
    #expect(try train("--recipe", "mlp", "--lora", String(most)).code == 0)
  }

  private func train(_ more: [String]) throws -> Command {
    try Command(
      Command.path,
      [
        "train", scene.base, "--data", folder["learn.jsonl"], "-o", folder["new.vpatch"], "--no-store", "--steps", "3",
        "--lr", "0.05",
      ] + more)
  }
}
