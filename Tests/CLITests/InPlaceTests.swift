import Base
import Checkpoints
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

@Suite("In place") struct InPlaceTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func run(_ arguments: [String], _ more: String...) throws -> Command {
    try Command(Command.path, arguments + more)
  }

  @Test("there and back: the same bytes, the same files, nothing besides", arguments: Switched.Form.allCases)
  func roundTrip(form: Switched.Form) throws {
    let switched = try Switched(form)
    #expect(try run(switched.forward(folder)).code == 0)
    #expect(try switched.isNew(folder))
    #expect(try run(switched.backward(in: folder)).code == 0)
    #expect(try switched.isReverted(folder))
  }

  @Test("the file stays the same file; by rename whoever has the old one open keeps it") func inode() throws {
    let switched = try Switched(.directory)
    let shard = "model-00001-of-00002.safetensors"
    let arguments = try switched.forward(folder)
    let open = try InputFile(path: folder[shard])
    #expect(try run(arguments).code == 0)
    #expect(try InputFile(path: folder[shard]).identity == open.identity)
    #expect(try open.read(0..<open.size) == switched.new[shard])
    #expect(try run(switched.backward(in: folder), "--by-rename").code == 0)
    #expect(try InputFile(path: folder[shard]).identity != open.identity)
    #expect(try open.read(0..<open.size) == switched.new[shard])
    #expect(try switched.isReverted(folder))
  }

  @Test(
    "only touched bytes are written; a shard that no tensor of the patch lies in is not opened for writing by rename")
  func untouched() throws {
    let model = TestModel.llama()
    try folder.directory("model", model, shards: 3)
    try folder.directory("tuned", model.tuned("embed_tokens"), shards: 3)
    #expect(try Command("create", folder["model"], folder["tuned"], "-o", folder["p.vpatch"]).code == 0)
    let log = try FaultRun.log(in: folder, ["switch", folder["model"], folder["p.vpatch"]])
    let writes = log.filter { $0.hasPrefix("write model/model-") }
    let tensor = try #require(SafetensorsCheckpoint(path: folder["model"]).tensor(named: "model.embed_tokens.weight"))
    #expect(writes == ["write model/model-00001-of-00003.safetensors \(tensor.offset) \(tensor.info.byteCount)"])
    let before = try (1...3).map { try InputFile(path: folder["model/model-0000\($0)-of-00003.safetensors"]).identity }
    #expect(try Command("revert", folder["model"], folder["p.vpatch"], "--by-rename").code == 0)
    let after = try (1...3).map { try InputFile(path: folder["model/model-0000\($0)-of-00003.safetensors"]).identity }
    #expect(zip(before, after).map { $0 == $1 } == [false, true, true])
  }

  @Test("a wrong base is found before anything is written") func wrongBase() throws {
    let switched = try Switched(.directory)
    #expect(try run(switched.forward(folder)).code == 0)
    let twice = try run(switched.forward(in: folder))
    #expect(twice.code == 5)
    #expect(twice.says("already is that stack"), "\(twice.errors)")
    #expect(try switched.isNew(folder))
    // Behind vpatch's back: a tensor that is touched, with a provenance that still says otherwise, and without one.
    let first = "model-00001-of-00002.safetensors"
    try folder.write(first, switched.old[first]!)
    let before = try folder.tree(".")
    for more in [[], ["--by-rename"]] {
      let edited = try run(switched.backward(in: folder) + more)
      #expect(edited.code == 3)
      #expect(edited.says("1 of 2 tensors differ", "model.layers.0.self_attn.q_proj.weight"), "\(edited.errors)")
      #expect(try folder.tree(".") == before)
    }
    try FileManager.default.removeItem(atPath: folder["vpatch.json"])
    let stranger = try run(switched.forward(in: folder))
    #expect(stranger.code == 3)
    #expect(stranger.says("was not made from the base of the stack", "vpatch status"), "\(stranger.errors)")
    // A tensor that no patch touches.
    for (name, bytes) in switched.new { try folder.write(name, bytes) }
    var bytes = switched.new["model-00002-of-00002.safetensors"]!
    bytes[bytes.count - 1] ^= 1
    try folder.write("model-00002-of-00002.safetensors", bytes)
    let full = try run(switched.backward(in: folder), "--full")
    #expect(full.code == 3)
    #expect(full.says("1 of 4 tensors differ in their values", "model.norm.weight"), "\(full.errors)")
    #expect(try folder.names().filter { $0.hasPrefix(".") } == [])
  }

  @Test("a layout that changes, and a stamp, need --by-rename") func layout() throws {
    let switched = try Switched(.layout)
    let refused = try run(switched.forward(folder).filter { $0 != "--by-rename" })
    #expect(refused.code == 5)
    #expect(refused.says("cannot be changed in place", "\"z.weight\" is added", "--by-rename"), "\(refused.errors)")
    #expect(try switched.isOld(folder))

    let story = try Story()
    #expect(try Command("apply", story.base, story.saPatch, "-o", story.out, "--stamp").code == 0)
    let stamped = try Command("switch", story.out, story.mlpPatch)
    #expect(stamped.code == 5)
    #expect(stamped.says("its files' metadata contain its provenance", "--by-rename"), "\(stamped.errors)")
    #expect(try Command("switch", story.out, story.mlpPatch, "--by-rename").code == 0)
    #expect(try story.folder.bytes("out.safetensors") == story.folder.bytes("both.safetensors"))
  }

  // MARK: Links

  @Test("links are refused, unless they are allowed") func links() throws {
    let switched = try Switched(.file)
    _ = try switched.forward(folder)
    let files = FileManager.default
    try files.createSymbolicLink(atPath: folder["soft"], withDestinationPath: "model.safetensors")
    let soft = try Command("switch", folder["soft"], switched.patch)
    #expect(soft.code == 5)
    #expect(soft.says("soft: is a symbolic link", "--allow-links", "a copy"), "\(soft.errors)")
    #expect(try Command("switch", folder["soft"], switched.patch, "--by-rename").code == 5)
    #expect(try Command("switch", folder["soft"], switched.patch, "--allow-links").code == 0)
    #expect(try folder.bytes("model.safetensors") == switched.new["model.safetensors"])
    // What belongs to the model is beside the model.
    #expect(try folder.names() == ["model.safetensors", "model.safetensors.vpatch.json", "soft"])
    #expect(try Command("revert", folder["soft"], switched.patch, "--allow-links").code == 0)
    #expect(try folder.bytes("model.safetensors") == switched.old["model.safetensors"])

    try files.linkItem(atPath: folder["model.safetensors"], toPath: folder["hard"])
    let hard = try Command("switch", folder["hard"], switched.patch)
    #expect(hard.code == 5)
    #expect(hard.says("hard: is a file with several hard links", "--by-rename", "--allow-links"), "\(hard.errors)")
    // A whole new file changes nobody else's.
    #expect(try Command("switch", folder["hard"], switched.patch, "--by-rename").code == 0)
    #expect(try folder.bytes("hard") == switched.new["model.safetensors"])
    #expect(try folder.bytes("model.safetensors") == switched.old["model.safetensors"])
  }

  @Test("a hub's snapshot: links to blobs, which stay as they are") func snapshot() throws {
    let switched = try Switched(.directory)
    for (name, bytes) in switched.old { try folder.write("blobs/\(name)", bytes) }
    try FileManager.default.createDirectory(atPath: folder["snapshots/1"], withIntermediateDirectories: true)
    for name in switched.old.keys {
      try FileManager.default.createSymbolicLink(
        atPath: folder["snapshots/1/\(name)"], withDestinationPath: "../../blobs/\(name)")
    }
    try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "snapshots/1")
    let shard = try Command("switch", folder["snapshots/1"], switched.patch)
    #expect(shard.code == 5)
    #expect(shard.says("model-00001-of-00002.safetensors: is a symbolic link", "--allow-links"), "\(shard.errors)")
    for path in [folder["link"], folder["link/"]] {
      let link = try Command("switch", path, switched.patch, "--by-rename")
      #expect(link.code == 5)
      #expect(link.says("is a symbolic link"), "\(link.errors)")
    }
    #expect(try Command("switch", folder["snapshots/1"], switched.patch, "--by-rename").code == 0)
    #expect(try folder.tree("blobs") == switched.old)
    #expect(try folder.tree("snapshots/1") == switched.new)
  }

  // MARK: What does not let itself be written to

  @Test("a file system that is read-only: one line, nothing changed") func readOnly() throws {
    let switched = try Switched(.file)
    for more in [[], ["--by-rename"]] {
      let trial = try TestFolder()
      let opens = try FaultRun.log(in: trial, switched.forward(trial) + more, "open").count
      var refusals = 0
      for call in 1...opens {
        for name in try folder.names() { try FileManager.default.removeItem(atPath: folder[name]) }
        let run = try FaultRun.run(in: folder, switched.forward(folder) + more, .erofs, at: call, of: "open")
        guard run.errors.contains("cannot be opened for writing") else { continue }
        refusals += 1
        #expect(run.code == 1)
        #expect(run.says("model.safetensors: cannot be opened for writing", "check the permissions"), "\(run.errors)")
        #expect(try switched.isOld(folder))
      }
      #expect(refusals > 0)
    }
  }

  @Test("a full disk is found before anything is written") func fullDisk() throws {
    let switched = try Switched(.file)
    let arguments = try switched.forward(folder)
    let call = try #require(
      FaultRun.log(in: folder, arguments).firstIndex { $0.hasPrefix("allocate") && $0.contains("journal") })
    for name in try folder.names() { try FileManager.default.removeItem(atPath: folder[name]) }
    let run = try FaultRun.run(in: folder, switched.forward(folder), .enospc, at: call + 1)
    #expect(run.code == 1)
    #expect(run.says("vpatch-journal: needs ", "No space left on device", "free some space"), "\(run.errors)")
    #expect(try switched.isOld(folder))
  }

  @Test("a patch that brings a journal as a side file is refused", arguments: [".vpatch-journal", "a.vpatch-journal"])
  func hostileSideFile(name: String) throws {
    let tensor = TestTensor.weights("w", [4])
    let base = try SafetensorsCheckpoint(path: folder.directory("base", [tensor]))
    let same = FingerprintedTensor(tensor.info, try StoredTensor(base.tensors[0], in: base).fingerprint())
    let layout = FileLayout(of: base)
    _ = try PatchWriter(path: folder["p.vpatch"]).finish(
      [.init(operation: .same, base: same, target: same, chunks: [])],
      annex: Annex(base: layout, target: layout, sideFiles: [.init(name: name, base: nil, target: [1])]),
      annotations: .object([]))
    base.endReading()
    for arguments in [
      ["apply", base.path, folder["p.vpatch"], "-o", folder["out"]], ["switch", base.path, folder["p.vpatch"]],
    ] {
      let run = try run(arguments)
      #expect(run.code == 5)
      #expect(run.says("p.vpatch: has a side file with the name of a journal", name), "\(run.errors)")
    }
    #expect(try folder.names(in: "base") == ["model.safetensors"])
    #expect(try folder.names() == ["base", "p.vpatch"])
  }
}
