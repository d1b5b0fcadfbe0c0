import Base
import Checkpoints
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

/// A run that is cut off, by a signal or by the disk, and gone on with.
@Suite("vpatch train --resume") struct TrainResumeTests {
  private static let steps = 6

  /// One tensor alone is tuned, so that there are few calls.
  private static func arguments(_ folder: TestFolder) -> [String] {
    [
      "train", folder["model"], "--only", "model.layers.1.self_attn.q_proj.weight", "--data", folder["rows.jsonl"],
      "-o", folder["task.vpatch"], "--batch", "2", "--lr", "1e-3", "--steps", "\(steps)", "--save-every", "2",
      "--resume", folder["state"], "--json", "--no-store",
    ]
  }

  /// What the run makes when nothing happens to it.
  private static let whole = Result { try identity(TestFolder()) }

  private static func identity(_ folder: TestFolder) throws -> String? {
    if !folder.exists("model") { try TrainScene.fill(folder) }
    let run = try Command(Command.path, arguments(folder))
    guard run.code == 0 else { return run.errors }
    return try JSON.parse(Array(run.output.utf8))["identity"]?.string
  }

  @Test(
    "at every call that writes its state: a full disk, or killed; the state before stays, and it goes on from there")
  func everyCall() throws {
    func prepare() throws -> TestFolder {
      let folder = try TestFolder()
      try TrainScene.fill(folder)
      return folder
    }
    let first = try prepare()
    let calls = try FaultRun.log(in: first, Self.arguments(first))
    // The second time of three, so that there is a state before and one to come.
    let commits = calls.indices.filter { calls[$0].hasPrefix("rename ") && calls[$0].contains("state/") }
    #expect(commits.count == 3, "\(calls)")
    let second = Array(commits[0] + 1...commits[1]).filter { calls[$0].contains("state/") }
    #expect(second.count >= 4, "\(calls)")
    for call in second {
      for mode in [FaultMode.enospc, .killBefore] where FaultMode.telling(calls[call], isLast: false).contains(mode) {
        let folder = try prepare()
        let run = try FaultRun.run(in: folder, Self.arguments(folder), mode, at: call + 1)
        let what = "\(mode) at \(calls[call])"
        if mode.isKill {
          #expect(run.code == SIGKILL, "\(what): \(run.code)")
        } else {
          // What was learned has no other place: it goes on, says so, and saves the next.
          let notes = try JSON.parse(Array(run.output.utf8))["remarks"]?.array?.compactMap(\.string) ?? []
          #expect(
            run.code == 0 && notes.count == 1 && notes[0].contains("could not be saved after step 4")
              && notes[0].contains("No space left on device"), "\(what): \(run.errors) \(notes)")
          #expect(try folder.names(in: "state") == ["training.safetensors"], "\(what)")
          #expect(try JSON.parse(Array(run.output.utf8))["identity"]?.string == Self.whole.get(), "\(what)")
          continue
        }
        #expect(!folder.exists("task.vpatch"))
        let state = try SafetensorsCheckpoint(path: folder["state/training.safetensors"])
        #expect(state.files[0].header.metadata.contains { $0.value.string?.contains(#""step":2,"#) == true }, "\(what)")
        #expect(try Self.identity(folder) == Self.whole.get(), "\(what)")
      }
    }
  }

  /// A run that gets a signal when it is about to give its second state its name.
  private func interrupt(_ folder: TestFolder, with mode: FaultMode) throws -> Int32 {
    try TrainScene.fill(folder)
    let arguments = TrainScene.arguments(folder) + Self.long + ["--resume", folder["state"], "--save-every", "5"]
    return try FaultRun.run(in: folder, arguments, mode, at: 2, of: "rename", below: "state").code
  }

  private static let long = ["--steps", "20", "--no-store"]

  @Test("Ctrl-C: it stops at once, its state stays, and nothing else") func polite() throws {
    let folder = try TestFolder()
    #expect(try interrupt(folder, with: .int) == 128 + SIGINT)
    #expect(try folder.names() == ["model", "rows.jsonl", "state"])
    #expect(try folder.names(in: "state") == ["training.safetensors"])
  }

  @Test("killed: the same command goes on, and says so") func killed() throws {
    let folder = try TestFolder()
    #expect(try interrupt(folder, with: .killBefore) == SIGKILL)
    let state = ["--resume", folder["state"], "--save-every", "5"]
    let other = try Command(
      Command.path, TrainScene.arguments(folder) + Self.long + state + ["--seed", "1", "--batch", "3", "-q"])
    #expect(other.code == 5 && other.says("is the state of another run: it differs in batch, seed"), "\(other.errors)")
    let run = try Command(Command.path, TrainScene.arguments(folder) + Self.long + state)
    #expect(run.code == 0 && run.errors.contains(#/resuming after step 5 of 20/#), "\(run.errors)")
    // Once more there is nothing left to do, and the patch is the same.
    let identity = try Patch(path: folder["task.vpatch"]).header.identity
    let again = try Command(Command.path, TrainScene.arguments(folder) + Self.long + state + ["--force"])
    #expect(again.code == 0 && again.errors.contains("resuming after step 20 of 20"), "\(again.errors)")
    #expect(try Patch(path: folder["task.vpatch"]).header.identity == identity)
  }

  @Test("a file that is no state is not replaced") func foreign() throws {
    let folder = try TestFolder()
    try TrainScene.fill(folder)
    try folder.file("state/training.safetensors", [.f32("weights", [2], [1, 2])])
    let before = try folder.bytes("state/training.safetensors")
    let run = try Command(Command.path, Self.arguments(folder))
    #expect(run.code == 2 && run.says("is not a training state that this version can read", "give another folder"))
    #expect(try folder.bytes("state/training.safetensors") == before)
  }
}
