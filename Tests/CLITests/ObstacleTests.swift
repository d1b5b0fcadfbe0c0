import Base
import Checkpoints
import Foundation
import Glibc
import ModelFiles
import TestModels
import Testing

/// What users put in the way of a switch: before it is decided it is refused and changes nothing; afterwards `recover` has
/// a way forward from everything, and nothing of theirs is lost.
@Suite("Obstacles") struct ObstacleTests {
  enum Kind: String, CaseIterable, Sendable { case folder, file, link, dangling, pipe }

  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// Puts something in the place of what has a name.
  private func put(_ kind: Kind, at name: String) throws {
    try? FileManager.default.moveItem(atPath: folder[name], toPath: folder["moved-\(name)"])
    switch kind {
    case .folder: try folder.write("\(name)/keep", "the user's")
    case .file: try folder.write(name, "the user's")
    case .link: try FileManager.default.createSymbolicLink(atPath: folder[name], withDestinationPath: folder["moved-x"])
    case .dangling: try FileManager.default.createSymbolicLink(atPath: folder[name], withDestinationPath: "nowhere")
    case .pipe: #expect(mkfifo(folder[name], 0o600) == 0)
    }
  }

  private func lstat(_ name: String) -> UInt {
    var info = stat()
    return Glibc.lstat(folder[name], &info) == 0 ? info.st_ino : 0
  }

  /// Of the folder, what the switch makes.
  private func model(_ switched: Switched) throws -> [String: [UInt8]] {
    try folder.tree(".").filter {
      !$0.key.contains("set-aside") && !$0.key.hasPrefix("moved-") && !$0.key.contains("/")
    }
  }

  @Test("before it is decided: refused, named, and nothing changed", arguments: [false, true])
  func before(byRename: Bool) throws {
    let switched = try Switched(.directory)
    let arguments = try switched.forward(folder) + (byRename ? ["--by-rename"] : [])
    // A side file's name is the user's, whatever is there (SideFileTests); the provenance has to go somewhere.
    let name = "vpatch.json"
    for kind in [Kind.folder, .pipe] {
      try put(kind, at: name)
      let before = try folder.names()
      let run = try Command(Command.path, arguments)
      #expect(
        run.code == 5 && run.says(name, "move it away"), "\(name) \(kind): \(run.code) \(run.errors)")
      #expect(try folder.names() == before)
      #expect(try folder.tree(".").filter { !$0.key.contains("/") } == switched.old)
      try FileManager.default.removeItem(atPath: folder[name])
    }
    #expect(try Command(Command.path, arguments).code == 0)
    #expect(try switched.isNew(folder))
  }

  @Test(
    "after it is decided: named with both ways out, and both lead to the new model",
    arguments: ["config.json", "new.txt", "gone.txt", "vpatch.json"], Kind.allCases)
  func after(name: String, kind: Kind) throws {
    let switched = try Switched(.directory)
    for byHand in [true, false] {
      for entry in try folder.names() { try FileManager.default.removeItem(atPath: folder[entry]) }
      _ = try InPlaceFaultTests.decided(switched, folder)
      try put(kind, at: name)
      let own = lstat(name)
      let before = try folder.names()
      let refused = try Command("recover", folder.path)
      #expect(
        refused.code == 5
          && refused.says(name, "blocks the unfinished change", "'vpatch recover \(folder.path) --set-aside'"),
        "\(refused.code) \(refused.errors)")
      #expect(try folder.names() == before)
      #expect(try Command("status", folder.path).says("has an unfinished switch"))
      if byHand {
        try FileManager.default.moveItem(atPath: folder[name], toPath: folder["moved-away"])
        #expect(lstat("moved-away") == own)
        #expect(try Command("recover", folder.path).code == 0)
      } else {
        let aside = try Command("recover", folder.path, "--set-aside")
        #expect(aside.code == 0 && aside.output.contains("\(name) is \(name).set-aside-1 now"), "\(aside.errors)")
        #expect(lstat("\(name).set-aside-1") == own)
      }
      #expect(try model(switched) == switched.new)
    }
  }

  @Test("a finished file that is gone is left out, and nothing else") func lost() throws {
    let switched = try Switched(.directory)
    _ = try InPlaceFaultTests.decided(switched, folder)
    let temporary = try #require(folder.names().first { $0.hasPrefix(".config.json.vpatch-") })
    try FileManager.default.removeItem(atPath: folder[temporary])
    let refused = try Command("recover", folder.path)
    #expect(refused.code == 5 && refused.says("config.json", "is missing", "--set-aside"), "\(refused.errors)")
    let aside = try Command("recover", folder.path, "--set-aside", "--json")
    let json = try JSON.parse(Array(aside.output.utf8))
    #expect(json["outcome"]?.string == "new" && json["lost"]?.array == [.string("config.json")], "\(aside.errors)")
    #expect(try folder.bytes("config.json.set-aside-1") == switched.old["config.json"])
    #expect(try model(switched) == switched.new.filter { $0.key != "config.json" })
  }

  @Test("a finished shard that is gone: the model as it is, nothing deleted") func lostShard() throws {
    let switched = try Switched(.layout)
    _ = try InPlaceFaultTests.decided(switched, folder)
    let temporary = try #require(folder.names().first { $0.hasPrefix(".model-00001") })
    try FileManager.default.removeItem(atPath: folder[temporary])
    let before = try folder.tree(".")
    let refused = try Command("recover", folder.path)
    #expect(refused.code == 5 && refused.says("was written for another", "--set-aside"), "\(refused.errors)")
    #expect(try folder.tree(".") == before)
    #expect(try Command("recover", folder.path, "--set-aside").code == 0)
    #expect(try Set(folder.tree(".").values) == Set(before.values))
    #expect(try model(switched) == switched.old)
    #expect(try Command(Command.path, switched.forward(in: folder)).code == 0)
    #expect(try model(switched) == switched.new)
  }

  @Test("what is at the journal's own name", arguments: [Kind.folder, .dangling, .pipe]) func journal(kind: Kind) throws
  {
    let switched = try Switched(.directory)
    _ = try switched.forward(folder)
    try put(kind, at: ".vpatch-journal")
    let own = lstat(".vpatch-journal")
    let refused = try Command("recover", folder.path)
    #expect(refused.code == 2 && refused.says("is not a journal", "--set-aside"), "\(refused.errors)")
    #expect(try Command("recover", folder.path, "--set-aside").code == 0)
    #expect(lstat(".vpatch-journal.set-aside-1") == own)
    #expect(try Command(Command.path, switched.forward(in: folder)).code == 0)
  }

  @Test("a region is a tensor of its file, and never its header") func regions() throws {
    let switched = try Switched(.file)
    _ = try switched.forward(folder)
    let model = folder["model.safetensors"]
    let checkpoint = try SafetensorsCheckpoint(path: model)
    let tensor = try #require(checkpoint.tensor(named: "model.norm.weight"))
    checkpoint.endReading()
    let identity = try #require(try LastingIdentity.of(model, followingLinks: true))
    func write(_ offset: Int, _ info: TensorInfo) throws {
      let bytes = [UInt8](repeating: 7, count: info.byteCount)
      let hasher = info.fingerprintHasher()
      bytes.withUnsafeBytes { hasher.update($0) }
      let journal = Journal(
        from: .zero, to: .zero, files: [.init(name: "model.safetensors", identity: identity)],
        regions: [.init(file: 0, offset: offset, tensor: FingerprintedTensor(info, hasher.finalize()))], renames: [],
        removals: [])
      try folder.write("model.safetensors.vpatch-journal", journal.head() + bytes)
    }
    let info = tensor.info
    for (offset, info) in [
      (0, info), (8, info), (tensor.offset - 2, info), (tensor.offset + 2, info),
      (tensor.offset, TensorInfo(name: "other", dtype: info.dtype, shape: info.shape, byteCount: info.byteCount)),
      (tensor.offset, TensorInfo(name: info.name, dtype: info.dtype, shape: [4, 4], byteCount: info.byteCount)),
      (tensor.offset, TensorInfo(name: info.name, dtype: .f16, shape: info.shape, byteCount: info.byteCount)),
      (tensor.offset, TensorInfo(name: info.name, dtype: info.dtype, shape: [15], byteCount: 30)),
    ] where offset + info.byteCount <= checkpoint.files[0].input.size {
      try write(offset, info)
      let run = try switched.recover(folder)
      #expect(run.code == 2 && run.says("has a region that is not the tensor"), "\(offset) \(info): \(run.errors)")
      #expect(try folder.bytes("model.safetensors") == switched.old["model.safetensors"])
    }
    try write(tensor.offset, info)
    #expect(try switched.recover(folder).code == 0)
    #expect(try folder.bytes("model.safetensors") != switched.old["model.safetensors"])
  }

  // MARK: Owners

  @Test("what comes new beside a private model is as private") func owner() throws {
    let switched = try Switched(.directory)
    let arguments = try switched.forward(folder)
    for name in switched.old.keys { #expect(chmod(folder[name], 0o600) == 0) }
    let isRoot = geteuid() == 0
    if isRoot { for name in switched.old.keys { #expect(chown(folder[name], 1000, 1000) == 0) } }
    for more in [[], ["--by-rename"]] {
      #expect(try Command(Command.path, arguments + more).code == 0)
      for name in switched.new.keys {
        var info = stat()
        #expect(stat(folder[name], &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600, "\(name)")
        #expect(info.st_uid == (isRoot ? 1000 : getuid()), "\(name)")
      }
      #expect(try Command(Command.path, switched.backward(in: folder)).code == 0)
      try FileManager.default.removeItem(atPath: folder["vpatch.json"])
    }
  }
}
