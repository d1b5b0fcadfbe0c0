import Base
import Foundation
import Glibc
import TestModels
import Testing

/// Models that another process switches, or that one was killed at.
@Suite("Unfinished switches") struct UnfinishedTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func run(_ arguments: [String], _ more: String...) throws -> Command {
    try Command(Command.path, arguments + more)
  }

  /// A switch that was killed after its decision.
  private func decided(_ form: Switched.Form) throws -> Switched {
    let switched = try Switched(form)
    _ = try InPlaceFaultTests.decided(switched, folder)
    return switched
  }

  @Test("every command notices an unfinished switch, by whatever path it comes") func noticed() throws {
    let switched = try decided(.directory)
    let model = folder.path
    let shard = folder["model-00001-of-00002.safetensors"]
    for arguments in [
      ["apply", model, switched.patch, "-o", folder["x"]], ["revert", model, switched.patch, "-o", folder["x"]],
      ["create", model, switched.sources["tuned"], "-o", folder["x"]], ["diff", model, switched.sources["tuned"]],
      ["verify", switched.patch, "--base", model], ["switch", model, switched.patch],
      ["revert", model, switched.patch, "--by-rename"], ["status", model], ["diff", shard, shard],
    ] {
      let run = try run(arguments)
      #expect(run.code == 5)
      #expect(run.says("has an unfinished switch; run 'vpatch recover \(model)'"), "\(run.errors)")
    }
    let recovered = try Command("recover", model)
    #expect(recovered.output == "\(model) is switched: the missing parts are written and verified\n")
    #expect(try switched.isNew(folder))
    #expect(try Command("recover", model).output == "\(model) has no unfinished switch: nothing to do\n")
    #expect(try Command("recover", folder["nobody"]).says("nobody: does not exist"))
  }

  @Test("a shard that is switched alone is noticed in its folder") func shardAlone() throws {
    let switched = try Switched(.file)
    _ = try InPlaceFaultTests.decided(switched, folder)
    let run = try Command("diff", folder.path, folder.path)
    #expect(run.code == 5)
    #expect(run.says("run 'vpatch recover \(folder["model.safetensors"])'"), "\(run.errors)")
  }

  @Test(
    "killed before the decision: the model is the old one for everybody, and what is left goes with the next switch")
  func undecided() throws {
    let switched = try Switched(.file)
    let arguments = try switched.forward(folder)
    let trial = try TestFolder()
    let call = try FaultRun.log(in: trial, switched.forward(trial)).firstIndex { $0.hasPrefix("rename") }!
    #expect(try FaultRun.run(in: folder, arguments, .killBefore, at: call + 1).code == SIGKILL)
    #expect(try folder.names().count == 3, "the journal and the provenance under their temporary names")
    let old = try Command("recover", folder["model.safetensors"])
    #expect(old.output.contains("is as it was before the switch; its leftovers are removed"))
    #expect(try switched.isOld(folder))
    #expect(try FaultRun.run(in: folder, arguments, .killBefore, at: call + 1).code == SIGKILL)
    let others = TemporaryFiles.name(for: "other.safetensors")
    try folder.write(others, "another's")
    #expect(try Command("diff", folder["model.safetensors"], folder["model.safetensors"]).code == 0)
    #expect(try run(arguments).code == 0)
    try FileManager.default.removeItem(atPath: folder[others])
    #expect(try switched.isNew(folder))
  }

  @Test("while one process switches, others are told so, and take nothing away") func locked() throws {
    let switched = try Switched(.directory)
    let arguments = try switched.forward(folder)
    let held = try InPlaceFile(path: folder["model-00002-of-00002.safetensors"])
    #expect(try held.lock())
    let started = try [[], ["--by-rename"]].map { try Command.start(Command.path, arguments + $0) }
    for run in try started.map({ try Command(ending: $0) }) {
      #expect(run.code == 5)
      #expect(run.says("is being switched by another process", "try again"), "\(run.errors)")
    }
    #expect(try switched.isOld(folder))
    // What a living process writes is no leftover.
    let writing = try OutputFile(path: folder["config.json"])
    #expect(try switched.recover(folder).output.contains("\"nothing\""))
    #expect(try folder.names().contains(writing.temporaryName))
  }

  @Test("a journal that a living process carries out is left to it") func carriedOut() throws {
    let switched = try decided(.directory)
    let before = try folder.tree(".")
    do {
      let journal = try InPlaceFile(path: folder[".vpatch-journal"])
      #expect(try journal.lock())
      let started = try [["recover", folder.path], ["diff", folder.path, folder.path]].map {
        try Command.start(Command.path, $0)
      }
      for run in try started.map({ try Command(ending: $0) }) {
        #expect(run.code == 5)
        #expect(run.says("is being switched by another process", "try again"), "\(run.errors)")
      }
    }
    #expect(try folder.tree(".") == before)
    #expect(try switched.recover(folder).code == 0)
    #expect(try switched.isNew(folder))
  }

  // MARK: Journals that cannot be carried out

  @Test("a damaged journal is refused, and nothing is touched") func damaged() throws {
    let switched = try decided(.directory)
    let journal = try folder.bytes(".vpatch-journal")
    let header = Int(journal[16]) | Int(journal[17]) << 8
    var kinds: [(String, [UInt8], String)] = [
      ("empty", [], "is not a journal"), ("cut", Array(journal.dropLast(1)), "is cut short"),
      ("longer", journal + [0], "is cut short or has extra bytes"),
      ("of text", Array("hello".utf8), "is not a journal"),
    ]
    for (offset, words) in [
      (0, "is not a journal"), (8, "version"), (12, "version"), (16, "cut short"), (24, "cut short"), (40, "header"),
      (70, "header"), (64 + header, "is damaged in the tensor \"model.layers.0.self_attn.q_proj.weight\""),
      (journal.count - 1, "is damaged in the tensor \"model.layers.1.self_attn.q_proj.weight\""),
    ] {
      var bytes = journal
      bytes[offset] ^= 4
      kinds.append(("at \(offset)", bytes, words))
    }
    for (name, bytes, words) in kinds {
      try folder.write(".vpatch-journal", bytes)
      let before = try folder.tree(".")
      let run = try switched.recover(folder)
      #expect(run.code == 2, "\(name)")
      #expect(
        run.says(".vpatch-journal: ", words, "nothing was changed", "restore the model", "--set-aside"),
        "\(name): \(run.errors)")
      #expect(try folder.tree(".") == before)
    }
    try folder.write(".vpatch-journal", journal)
    #expect(try switched.recover(folder).code == 0)
    #expect(try switched.isNew(folder))
  }

  @Test("a model that is another one than the journal was written for") func replaced() throws {
    let switched = try decided(.directory)
    let name = "model-00001-of-00002.safetensors"
    let bytes = try folder.bytes(name)
    try FileManager.default.moveItem(atPath: folder[name], toPath: folder["kept"])
    try folder.write(name, bytes)
    let before = try folder.tree(".")
    let run = try switched.recover(folder)
    #expect(run.code == 5)
    #expect(
      run.says(
        ".vpatch-journal: was written for another \"\(name)\"", "nothing was changed",
        "put that file back",
        "'vpatch recover \(folder.path) --set-aside'"))
    #expect(try folder.tree(".") == before)
    let aside = try Command("recover", folder.path, "--set-aside")
    #expect(aside.code == 0 && aside.output.contains("was left as its files are now"), "\(aside.errors)")
    // Everything is there still, and the model is usable again.
    #expect(try Set(folder.tree(".").values) == Set(before.values))
    #expect(folder.exists(".vpatch-journal.set-aside-1") && folder.exists("config.json.set-aside-1"))
    #expect(try folder.names().allSatisfy { !$0.contains(".vpatch-") || $0.hasSuffix(".set-aside-1") })
    #expect(try Command("status", folder.path, "--full").code == 0)
    // What it was made of is at hand: with the file back in its place it can be finished after all.
    #expect(try Command("recover", folder.path).output.contains("nothing to do"))
  }

  @Test("a shard that is put back can be finished") func putBack() throws {
    let switched = try decided(.directory)
    let name = "model-00002-of-00002.safetensors"
    try FileManager.default.moveItem(atPath: folder[name], toPath: folder["kept"])
    #expect(try switched.recover(folder).code != 0)
    try FileManager.default.moveItem(atPath: folder["kept"], toPath: folder[name])
    #expect(try switched.recover(folder).code == 0)
    #expect(try switched.isNew(folder))
  }

  @Test("a copy of a model with its journal is not the model") func copied() throws {
    let switched = try decided(.file)
    let copy = try TestFolder()
    for name in try folder.names() { try copy.write(name, folder.bytes(name)) }
    let run = try switched.recover(copy)
    #expect(run.code == 5)
    #expect(run.says("was that copied"), "\(run.errors)")
    #expect(try switched.recover(folder).code == 0)
    #expect(try switched.isNew(folder))
  }

  @Test("a damaged journal is set aside, with the files that it speaks of") func damagedAside() throws {
    let switched = try decided(.layout)
    var journal = try folder.bytes(".vpatch-journal")
    journal[40] ^= 1
    try folder.write(".vpatch-journal", journal)
    let before = try folder.tree(".")
    #expect(try switched.recover(folder).code == 2)
    #expect(try Command("recover", folder.path, "--set-aside").code == 0)
    #expect(try Set(folder.tree(".").values) == Set(before.values))
    // No byte of the model had been written yet.
    #expect(try Command("status", folder.path).code == 0)
    #expect(try run(switched.forward(in: folder)).code == 0)
    #expect(try folder.tree(".").filter { !$0.key.hasSuffix(".set-aside-1") } == switched.new)
  }

  @Test("of many switches at once one does it, and the model is whole") func race() throws {
    let switched = try Switched(.directory)
    let arguments = try switched.forward(folder)
    let started = try (0..<6).map { _ in try Command.start(Command.path, arguments) }
    let codes = started.map { run in
      run.process.waitUntilExit()
      return run.process.terminationStatus
    }
    // The others were told that it is locked, or came when it was done.
    #expect(codes.filter { $0 == 0 }.count == 1, "\(codes)")
    #expect(codes.allSatisfy { [0, 3, 5].contains($0) }, "\(codes)")
    #expect(try switched.isNew(folder))
  }

  @Test("once it is decided, Ctrl-C does not stop it") func interrupted() throws {
    let switched = try Switched(.directory)
    let trial = try TestFolder()
    let calls = try FaultRun.log(in: trial, switched.forward(trial))
    let decision = try #require(calls.firstIndex { $0.hasPrefix("rename") && $0.hasSuffix(".vpatch-journal") }) + 1
    // At the first write into the model.
    let run = try FaultRun.run(in: folder, switched.forward(folder), .int, at: decision + 2)
    #expect(run.code == 0 && run.errors.contains("is being finished"), "\(run.code) \(run.errors)")
    #expect(try switched.isNew(folder))
  }
}
