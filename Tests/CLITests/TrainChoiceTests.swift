import Base
import Foundation
import PatchFormat
import TestModels
import Testing

/// What `train` does with what it was not told, and with runs that go wrong.
@Suite("vpatch train: choices, validation, divergence") struct TrainChoiceTests {
  let scene: TrainScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try TrainScene() }

  /// Without rate, batch and length.
  private func train(_ more: String...) throws -> Command {
    try Command(
      Command.path,
      ["train", scene.base, "--recipe", "sa-proj", "--data", scene.data, "-o", scene.patch, "--no-store"] + more)
  }

  private func training() throws -> JSON { try #require(try Patch(path: scene.patch).annotations["training"]) }

  @Test("rate, batch and length are chosen, and said with their reasons") func chosen() throws {
    let run = try train("--dry-run")
    #expect(run.code == 0)
    for words in [
      "steps     100 of 8 rows, 80 times over the data: fewer steps seldom teach a skill",
      "rate      0.0001 at its peak, the rate of docs/study.md for small models",
    ] {
      #expect(run.output.contains(words), "\(run.output)")
    }
    let given = try train("--dry-run", "--steps", "7", "--lr", "1e-3", "--batch", "2").output
    #expect(given.contains("steps     7 of 2 rows\n") && given.contains("rate      0.001 at its peak\n"))
    let both = try train("--dry-run", "--steps", "7", "--epochs", "2")
    #expect(both.errors.contains("note: --steps decides the length of the run: --epochs is ignored"))
    #expect(both.errors.contains("note: 7 steps: fewer than 100 seldom teach a skill"))
  }

  @Test("without a suite the summary says so, with the command that measures") func unmeasured() throws {
    let run = try train("--steps", "2")
    let command = try #require(run.output.firstMatch(of: #/forgot    not measured; '(.*)' measures it/#)?.output.1)
    // This model has no tokenizer: that, and nothing about the command line, is what ends it.
    let line = command.replacing("vpatch ", with: "'\(Command.path)' ", maxReplacements: 1)
    let eval = try Command("/bin/sh", ["-c", "exec \(line)"])
    #expect(eval.code == 2 && eval.says("has no tokenizer.json"), "\(eval.errors)")
  }

  @Test("rows that are held out: by default, as a share, from a file, none") func validation() throws {
    try folder.write("rows.jsonl", (0..<3).map { _ in try folder.text("rows.jsonl") }.joined(separator: "\n"))
    let chosen = try train("--log", folder["log.jsonl"])
    #expect(chosen.code == 0, "\(chosen.errors)")
    #expect(chosen.errors.contains("held out  3 rows to measure the loss on (--validation none trains on all rows)"))
    #expect(chosen.output.contains("on 3 rows that were not trained on"))
    #expect(try training()["validation"]?["rows"]?.int == 3)
    let log = try folder.text("log.jsonl").split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    #expect(log.count == 100 && log.count { $0["validation"] != nil } == 10)
    for (option, rows) in [("0.5", 15), (scene.data, 30), ("none", 0)] {
      let run = try train("--validation", option, "--steps", "2", "--force")
      #expect(run.code == 0, "\(run.errors)")
      #expect(try training()["validation"]?["rows"]?.int ?? 0 == rows, "\(option)")
    }
    #expect(try train("--steps", "2", "--force").code == 0)
    #expect(try training()["validation"] == nil)
    let wrong = try train("--validation", "1.5", "--force")
    #expect(wrong.code == 5 && wrong.says("is not a share of the rows", "0.1"))
    let early = try train("--validation", "none", "--early-stop", "--force")
    #expect(early.code == 5 && early.says("--early-stop needs rows", "--validation 0.1"))
    #expect(try train("--validation", "0.1", "--early-stop", "--force", "--lr", "1e-3").code == 0)
  }

  @Test("a run that diverged: no patch and exit code 4; with --keep-diverged both") func diverged() throws {
    let astray = [
      "--recipe", "llm", "--steps", "20", "--lr", "30", "--schedule", "constant", "--warmup", "0", "--clip", "0", "-q",
    ]
    let run = try scene.train(astray)
    #expect(run.code == 4 && run.says("training diverged", "--lr", "--keep-diverged"), "\(run.code) \(run.errors)")
    #expect(!folder.exists("task.vpatch"))
    let kept = try scene.train(astray + ["--keep-diverged", "--no-store"])
    #expect(kept.code == 4 && kept.says("training diverged"), "\(kept.errors)")
    #expect(try training()["stopped"]?.string == "diverged")
    #expect(try Command("verify", scene.patch, "--base", scene.base).code == 0)
  }

  @Test("samples before and after, of a model with a tokenizer") func samples() throws {
    let model = try EvalScene()
    let rows = (0..<4).map {
      #"{"messages": [{"role": "user", "content": "cats \#($0)"}, {"role": "assistant", "content": "cat"}]}"#
    }
    try model.folder.write("learn.jsonl", rows.joined(separator: "\n"))
    func train(_ more: String...) throws -> [JSON] {
      let run = try Command(
        Command.path,
        [
          "train", model.base, "--recipe", "sa-proj", "--data", model.folder["learn.jsonl"], "-o",
          model.folder["new.vpatch"], "--steps", "2", "--lr", "1e-2", "--force", "--no-store",
        ] + more)
      #expect(run.code == 0, "\(run.errors)")
      return try Patch(path: model.folder["new.vpatch"]).annotations["training"]?["samples"]?.array ?? []
    }
    let samples = try train()
    #expect(samples.count == 3)
    // What the chat template writes around all prompts is left out.
    #expect(samples.map { $0["prompt"]?.string } == ["cats 0", "cats 1", "cats 2"])
    #expect(samples.allSatisfy { $0["expected"]?.string == "cat" && $0["before"]?.string != $0["after"]?.string })
    #expect(try train("--samples", "0").isEmpty)
    let page = model.folder["page.html"]
    #expect(try Command("report", model.folder["new.vpatch"], "-o", page).code == 0)
  }

  @Test("interrupted: what is kept, and how to go on") func interrupted() throws {
    let log = ["--log", folder["log.jsonl"]]
    /// Interrupted just before the line of a step is written to the log.
    func stopped(atStep step: Int, _ more: [String]) throws -> Command {
      let arguments = TrainScene.arguments(folder) + ["--steps", "40", "--save-every", "10"] + log + more
      for name in ["log.jsonl", "task.vpatch", "state"] {
        try? FileManager.default.removeItem(atPath: folder[name])
      }
      let calls = try FaultRun.log(in: folder, arguments)
      for name in ["log.jsonl", "task.vpatch", "state"] {
        try? FileManager.default.removeItem(atPath: folder[name])
      }
      let lines = calls.indices.filter { calls[$0].hasPrefix("write log.jsonl") }
      #expect(lines.count == 40, "\(calls)")
      return try FaultRun.run(in: folder, arguments, .int, at: lines[step - 1] + 1)
    }
    let bare = try stopped(atStep: 25, ["--no-store"])
    let last = String(bare.errors.split(separator: "\n").last ?? "")
    #expect(
      bare.code == 130 && last.contains("vpatch: interrupted after step 24 of 40: nothing is kept"), "\(bare.errors)")
    let saved = try stopped(atStep: 25, ["--no-store", "--resume", folder["state"]])
    let line = String(saved.errors.split(separator: "\n").last ?? "")
    #expect(saved.code == 130)
    #expect(
      line.contains("the state after step 20 is in ") && line.contains("the same command goes on from it"), "\(line)")
    let again = try Command(
      Command.path,
      TrainScene.arguments(folder) + ["--steps", "40", "--save-every", "10", "--no-store", "--resume", folder["state"]])
    #expect(again.code == 0 && again.errors.contains("resuming after step 20 of 40"), "\(again.errors)")
  }
}
