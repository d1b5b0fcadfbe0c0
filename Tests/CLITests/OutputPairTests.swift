import Base
import Foundation
import Glibc
import Synchronization
import TestModels
import Testing

/// A model of one file and what is written of it get their names together, or neither does.
@Suite("Outputs of two names", .serialized) struct OutputPairTests {
  let story: Story

  init() throws { story = try Story() }

  private static let names = ["out.safetensors", "out.safetensors.vpatch.json"]

  /// What the command makes of it, over what is there before.
  private func pair(_ patch: String) throws -> [String: [UInt8]] {
    let folder = try TestFolder()
    let run = try Command(
      "apply", story.base, patch, "-o", folder[Self.names[0]], environment: ["SOURCE_DATE_EPOCH": "1"])
    #expect(run.code == 0, "\(run.errors)")
    return try folder.tree(".")
  }

  @Test("a failure or a kill at a call of apply -o FILE", arguments: [false, true]) func changes(
    force: Bool
  ) throws {
    let old = try force ? pair(story.saPatch) : [:]
    let new = try pair(story.otherPatch)
    let (base, patch) = (story.base, story.otherPatch)
    @Sendable func arguments(_ folder: TestFolder) -> [String] {
      ["apply", base, patch, "-o", folder[Self.names[0]]] + (force ? ["--force"] : [])
    }
    let prepare: @Sendable (TestFolder) throws -> [String] = { folder in
      for (name, bytes) in old { try folder.write(name, bytes) }
      return arguments(folder)
    }
    let (count, complaints) = try FaultRun.everywhere(stride: 4, prepare: prepare) { folder, fault, run in
      let path = folder[Self.names[0]]
      func visible() throws -> [String: [UInt8]] { try folder.tree(".").filter { Self.names.contains($0.key) } }
      if run.code == 0 { return try folder.tree(".") == new ? nil : "it claims to be done" }
      let isDecided = folder.exists(Self.names[0] + ".vpatch-journal")
      if isDecided {
        let status = try Command("status", path)
        guard status.code == 5, status.errors.contains("vpatch recover \(path)") else {
          return "not refused: \(status)"
        }
      } else if try visible() != old {
        // Killed when all was done.
        return try fault.mode.isKill && visible() == new ? nil : "not the old ones, and nobody says so"
      }
      if !fault.mode.isKill, isDecided != run.errors.contains("vpatch recover") { return "\(isDecided): \(run.errors)" }
      if !force {
        let again = try Command(Command.path, arguments(folder), ["SOURCE_DATE_EPOCH": "1"])
        guard again.code == 0 else { return "the same command again: \(again.errors)" }
        // As if nothing had been: nobody was told that it was done.
        return try folder.tree(".") == new ? nil : "again: \(try folder.names())"
      }
      let recovery = try Command("recover", path)
      guard recovery.code == 0 else { return isDecided || old != [:] ? recovery.errors : nil }
      return try folder.tree(".") == (isDecided ? new : old) ? nil : "recovered: \(try folder.names())"
    }
    print("faults: apply -o FILE\(force ? " --force" : ""): \(count)")
    #expect(count > 20)
    #expect(complaints == [])
  }

  @Test("recover finishes what was decided") func recovered() throws {
    let folder = try TestFolder()
    let path = folder[Self.names[0]]
    let arguments = ["apply", story.base, story.saPatch, "-o", path]
    let calls = try FaultRun.log(in: folder, arguments)
    let new = try folder.tree(".")
    let decision = try #require(calls.firstIndex { $0.hasPrefix("rename") && $0.hasSuffix(".vpatch-journal") })
    for call in decision + 1...calls.count {
      for name in try folder.names() { unlink(folder[name]) }
      let run = try FaultRun.run(in: folder, arguments, .killAfter, at: call)
      #expect(run.code == SIGKILL)
      let recovery = try Command("recover", path)
      #expect(recovery.code == 0, "\(calls[call - 1]): \(recovery.errors)")
      #expect(try folder.tree(".") == new, "\(calls[call - 1])")
    }
  }

  @Test("a power cut after every call") func powerCut() throws {
    let new = try pair(story.otherPatch)
    let folder = try TestFolder()
    let path = folder[Self.names[0]]
    let cut = try PowerCut(folder, ["apply", story.base, story.otherPatch, "-o", path])
    var random = TestRandom(11)
    for call in 0...cut.calls.count {
      for _ in 0..<3 {
        try cut.cut(after: call, &random)
        let left = try folder.names()
        let recovery = try Command("recover", path)
        let tree = try folder.tree(".")
        #expect(recovery.code == 0 || !folder.exists(Self.names[0]), "\(left): \(recovery.errors)")
        let isWhole = tree.filter { Self.names.contains($0.key) }
        #expect(isWhole == [:] || isWhole == new, "after \(call) calls, of \(left): \(tree.keys.sorted())")
      }
    }
  }

  @Test("of two commands with one output one does it; with --force the two files belong together") func race() throws {
    let expected = try [pair(story.saPatch), pair(story.otherPatch)]
    let folder = try TestFolder()
    for round in 0..<10 {
      let force = round % 2 == 1
      for name in try folder.names() { unlink(folder[name]) }
      let started = try [story.saPatch, story.otherPatch].map { patch in
        try Command.start(
          Command.path, ["apply", story.base, patch, "-o", folder[Self.names[0]]] + (force ? ["--force"] : []),
          ["SOURCE_DATE_EPOCH": "1"])
      }
      let runs = try started.map { try Command(ending: $0) }
      #expect(runs.allSatisfy { [0, 5].contains($0.code) }, "\(runs.map(\.errors))")
      #expect(force ? runs.contains { $0.code == 0 } : runs.count { $0.code == 0 } == 1, "\(runs.map(\.errors))")
      let tree = try folder.tree(".")
      #expect(expected.contains(tree), "\(tree.keys.sorted())")
    }
  }

  @Test("a command that got as far as its --undo runs again") func undo() throws {
    let story = try StackStory()
    let folder = story.folder
    try story.done("stack", "new", "two", "--base", story.base, "sa@0.5", "mlp")
    let arguments = ["apply", story.base, "--stack", "two", "-o", folder["made"], "--undo", folder["undo.vpatch"]]
    #expect(try story.run(arguments).code == 0)
    let made = try folder.bytes("made")
    for name in ["made", "made.vpatch.json"] { unlink(folder[name]) }
    let undo = try InputFile(path: folder["undo.vpatch"]).identity
    #expect(try story.run(arguments).code == 0)
    #expect(try folder.bytes("made") == made)
    #expect(try InputFile(path: folder["undo.vpatch"]).identity == undo)
    // Another stack's is not taken for it.
    unlink(folder["made"])
    try story.done("stack", "new", "other", "--base", story.base, "sa@0.25", "mlp")
    let other = try story.run(
      "apply", story.base, "--stack", "other", "-o", folder["made"], "--undo", folder["undo.vpatch"])
    #expect(other.code == 5 && other.says("undo.vpatch", "already exists"), "\(other.errors)")
  }
}
