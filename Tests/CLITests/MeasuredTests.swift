import Foundation
import PatchFormat
import TestModels
import Testing

/// What took long to measure is printed also where it cannot be written.
@Suite("Measured, and not to be written") struct MeasuredTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try EvalScene() }

  private func eval(_ more: String...) -> [String] {
    ["eval", scene.base, "--patch", scene.saPatch, "--suite", scene.suite] + more
  }

  /// Runs with a disk that is full at the first write to a file.
  private func full(_ arguments: [String], _ name: String) throws -> Command {
    let copy = try EvalScene()
    let there = arguments.map { $0.replacing(folder.path, with: copy.folder.path) }
    let calls = try FaultRun.log(in: copy.folder, there, "write")
    let call = try #require(calls.firstIndex { $0.hasPrefix("write .\(name).vpatch-") }, "\(calls)")
    return try FaultRun.run(in: folder, arguments, .enospc, at: call + 1, of: "write")
  }

  @Test("results, the base's results, records: the table is printed, the error comes last, and the code is 1")
  func eval()
    throws
  {
    let plain = try Command(Command.path, eval())
    #expect(plain.code == 0)
    for (more, name) in [
      (["--results", folder["r.json"]], "r.json"), (["--base-results", folder["b.json"]], "b.json"),
      (["--record"], "sa.vpatch"),
    ] {
      let run = try full(eval() + more, name)
      #expect(run.code == 1 && run.errors.contains("No space left on device"), "\(name): \(run.code) \(run.errors)")
      #expect(run.output == plain.output, "\(name)")
      #expect(!folder.exists("r.json") && !folder.exists("b.json"))
    }
    #expect(try Patch(path: scene.saPatch).annotations["forgetting"] == nil)
    let alone = try full(["eval", scene.base, "--suite", scene.suite, "--results", folder["r.json"]], "r.json")
    #expect(alone.code == 1 && alone.output.contains("perplexity") && !folder.exists("r.json"))
  }

  @Test("a folder that cannot be written is found before anything is measured") func before() throws {
    for option in ["--results", "--base-results"] {
      let run = try Command(Command.path, eval(option, "/proc/r.json"))
      #expect(run.code == 1 && run.says("/proc/r.json: cannot be written") && run.output.isEmpty, "\(run.errors)")
    }
  }

  @Test("a trained patch that its records cannot be bound to: it is whole, and the advice works") func training() throws
  {
    try folder.write("learn.jsonl", #"{"prompt": "The cat", "completion": " sat"}"#)
    let arguments = [
      "train", scene.base, "--recipe", "sa-proj", "--data", folder["learn.jsonl"], "-o", folder["new.vpatch"],
      "--steps",
      "2", "--lr", "1e-2", "--suite", scene.suite, "--no-store", "--force",
    ]
    let calls = try FaultRun.log(in: folder, arguments)
    // The second time that it gets its name it has the records.
    let named = calls.indices.filter { calls[$0].hasPrefix("rename .new.vpatch.") }
    #expect(named.count == 2, "\(calls)")
    let run = try FaultRun.run(in: folder, arguments, .eio, at: named[1] + 1)
    #expect(run.code == 1 && run.output.contains("forgetting"), "\(run.errors)")
    #expect(try Patch(path: folder["new.vpatch"]).annotations["forgetting"] == nil)
    let advice = try #require(run.errors.firstMatch(of: #/'vpatch (eval BASE .*) SUITE --record' adds them/#)).output.1
    let words = advice.split(separator: " ").map { $0 == "BASE" ? scene.base : String($0) }
    #expect(try Command(Command.path, words + [scene.suite, "--record"]).code == 0)
    #expect(try Patch(path: folder["new.vpatch"]).annotations["forgetting"]?.array?.isEmpty == false)
  }
}
