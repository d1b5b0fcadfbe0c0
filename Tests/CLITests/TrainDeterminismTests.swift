import Base
import Foundation
import Glibc
import TestModels
import Testing

/// The same command gives the same patch, whatever happens meanwhile.
@Suite("Training again", .serialized) struct TrainDeterminismTests {
  let folder: TestFolder
  let model: String

  init() throws {
    folder = try TestFolder()
    model = try TinyModel("tiny-llama").folder
    var random = TestRandom(3)
    let rows = (0..<9).map { row in
      #"{"input_ids":["# + (0..<4 + row * 5 % 17).map { _ in "\(random.next() % 512)" }.joined(separator: ",") + "]}"
    }
    try folder.write("rows.jsonl", rows.joined(separator: "\n") + "\n")
  }

  private func arguments(_ options: [String]) -> [String] {
    [
      "train", model, "--recipe", "gate-up", "--data", folder["rows.jsonl"], "-o", folder["task.vpatch"], "--force",
      "--batch", "4", "--lr", "1e-3", "--seed", "2", "--json", "--no-store",
    ] + options
  }

  /// The identity of the patch.
  private func train(_ options: String..., environment: [String: String] = [:]) throws -> String {
    let run = try Command(Command.path, arguments(options), environment)
    #expect(run.code == 0, "\(run.errors)")
    return try #require(try JSON.parse(Array(run.output.utf8))["identity"]?.string)
  }

  @Test("on one, two or three threads, and with AVX2 as with AVX-512") func threads() throws {
    let identity = try train("--steps", "8", "--threads", "1")
    #expect(try train("--steps", "8", "--threads", "2") == identity)
    #expect(try train("--steps", "8", "--threads", "3", environment: ["VPATCH_ISA": "avx2"]) == identity)
    // Another seed is another patch: the comparison can fail.
    #expect(try train("--steps", "8", "--threads", "2", "--seed", "7") != identity)
  }

  @Test("killed again and again, and resumed") func killed() throws {
    let identity = try train("--steps", "40")
    let resumable = ["--steps", "40", "--resume", folder["state"], "--save-every", "3", "--log", folder["log.jsonl"]]
    for wanted in [5, 9, 14] {
      // Killed when the log is about to get the line of a later step than any before.
      let run = try FaultRun.run(
        in: folder, arguments(resumable), .killBefore, at: wanted, of: "write", below: "log.jsonl")
      #expect(run.code == SIGKILL)
    }
    #expect(folder.exists("state/training.safetensors"))
    #expect(try train("--steps", "40", "--resume", folder["state"], "--save-every", "3") == identity)
  }
}
