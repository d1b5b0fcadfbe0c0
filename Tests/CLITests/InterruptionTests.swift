import Base
import Foundation
import Glibc
import TestModels
import Testing

/// A disk that fills up, a process that is killed: the model is there, whole, or it is not there.
@Suite("Interruptions", .serialized) struct InterruptionTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A pair and its patch; returns the arguments of an apply.
  private func pair() throws -> [String] {
    let base = (0..<3).map { TestTensor.weights("model.layers.\($0).self_attn.q_proj.weight", [16, 16]) }
    try folder.file("base.safetensors", base)
    try folder.file("tuned.safetensors", base.map { $0.tuned() })
    #expect(
      try Command("create", folder["base.safetensors"], folder["tuned.safetensors"], "-o", folder["p.vpatch"]).code == 0
    )
    return ["apply", folder["base.safetensors"], folder["p.vpatch"], "-o", folder["out.safetensors"]]
  }

  private let before = ["base.safetensors", "p.vpatch", "tuned.safetensors"]

  /// Which call of an apply writes the last bytes of the model, from 1: everything is there, and has no name.
  private func lastWrite(_ arguments: [String]) throws -> Int {
    let calls = try FaultRun.log(in: folder, arguments)
    for name in try folder.names() where !before.contains(name) {
      try FileManager.default.removeItem(atPath: folder[name])
    }
    return try #require(calls.lastIndex { $0.hasPrefix("write .out.safetensors.vpatch-") }) + 1
  }

  @Test("asked to stop it leaves nothing behind", arguments: [FaultMode.term, .int, .hup]) func polite(
    mode: FaultMode
  ) throws {
    let arguments = try pair()
    let run = try FaultRun.run(in: folder, arguments, mode, at: lastWrite(arguments))
    let number = [.term: SIGTERM, .int: SIGINT, .hup: SIGHUP][mode]!
    #expect(run.code == 128 + number)
    #expect(try folder.names() == before)
  }

  @Test("asked to stop at any call that changes something: a folder is there whole, or it is not there")
  func folderWhole()
    throws
  {
    let story = try StackStory(isDirectory: true)
    let folder = story.folder
    let arguments = ["apply", story.base, folder["sa.vpatch"], "-o", folder["out"]]
    let calls = try FaultRun.log(in: folder, arguments)
    let whole = try folder.tree("out")
    let named = try #require(calls.firstIndex { $0.hasPrefix("rename ") && $0.hasSuffix(" out") }, "\(calls)")
    var ends = Set<Int32>()
    for call in calls.indices {
      for name in try folder.names() where name.hasPrefix("out") || TemporaryFiles.isTemporary(name) {
        try FileManager.default.removeItem(atPath: folder[name])
      }
      let before = try folder.names()
      let run = try FaultRun.run(in: folder, arguments, call % 2 == 0 ? .int : .term, at: call + 1)
      ends.insert(run.code)
      #expect([0, 130, 143].contains(run.code), "\(calls[call]): \(run.code) \(run.errors)")
      if folder.exists("out") {
        #expect(try folder.tree("out") == whole, "\(calls[call])")
        #expect(run.code == 0, "\(calls[call]): it is there, and the exit code does not say so")
      } else {
        #expect(run.code != 0 && call <= named, "\(calls[call]): \(run.code)")
      }
      #expect(try folder.names().filter { $0 != "out" } == before, "\(calls[call])")
    }
    #expect(ends.contains(130) && ends.contains(143), "\(ends)")
  }

  @Test("killed it leaves nothing under the final name, and the next run succeeds") func killed() throws {
    let arguments = try pair()
    #expect(try FaultRun.run(in: folder, arguments, .killHalf, at: lastWrite(arguments)).code == SIGKILL)
    #expect(!folder.exists("out.safetensors"))
    #expect(!folder.exists("out.safetensors.vpatch.json"))
    #expect(try Command(Command.path, arguments).code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("tuned.safetensors"))
  }

  @Test("a signal that was ignored at the start stays ignored") func nohup() throws {
    let arguments = try pair()
    let call = try lastWrite(arguments)
    let run = try Command(
      "/bin/sh", ["-c", "trap '' HUP; exec \"$@\"", "sh", Command.path] + arguments,
      FaultRun.environment(folder, .hup, at: call))
    #expect(run.code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("tuned.safetensors"))
  }

  /// `attack/run.py disks` does the same on a real one, which root alone can mount.
  @Test("a full disk: one line, nothing left on it") func fullDisk() throws {
    let apply = try pair()
    let (base, tuned) = (folder["base.safetensors"], folder["tuned.safetensors"])
    for arguments in [
      apply, ["revert", tuned, folder["p.vpatch"], "-o", folder["out.safetensors"]],
      ["create", base, tuned, "-o", folder["out.vpatch"], "--no-store"],
    ] {
      let calls = try FaultRun.log(in: folder, arguments)
      for call in calls.indices where ["write", "allocate"].contains(calls[call].split(separator: " ")[0]) {
        for name in try folder.names() where !before.contains(name) {
          try FileManager.default.removeItem(atPath: folder[name])
        }
        let run = try FaultRun.run(in: folder, arguments, .enospc, at: call + 1)
        #expect(run.code == 1, "\(calls[call])")
        #expect(run.says("out.", "No space left on device", "free some space"), "\(calls[call]): \(run.errors)")
        #expect(try folder.names() == before)
      }
    }
  }

  @Test("a reader that goes away is no crash") func closedPipe() throws {
    _ = try pair()
    let run = try Command(
      "/bin/bash",
      [
        "-c", "set -o pipefail; \"$0\" show \"$1\" --json | head -c 1; exit ${PIPESTATUS[0]}", Command.path,
        folder["p.vpatch"],
      ])
    #expect([0, 128 + SIGPIPE].contains(run.code))
    #expect(run.errors.isEmpty)
  }
}
