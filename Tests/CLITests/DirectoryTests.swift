import Base
import Checkpoints
import Foundation
import TestModels
import Testing

@Suite("Hugging Face directories") struct DirectoryTests {
  let folder: TestFolder
  let model = TestModel.llama()
  var tuned: [TestTensor] { model.tuned(TestModel.attention) }
  let side = ["config.json": "{}\n", "tokenizer.json": "{\"a\": 1}\n", "README.md": "base\n"]

  init() throws { folder = try TestFolder() }

  private func make(_ base: String, _ tuned: String, _ more: String...) throws {
    let run = try Command(Command.path, ["create", folder[base], folder[tuned], "-o", folder["p.vpatch"]] + more)
    #expect(run.code == 0, "\(run.errors)")
  }

  private func apply(_ base: String, _ out: String, back: Bool = false) throws -> Command {
    try Command(back ? "revert" : "apply", folder[base], folder["p.vpatch"], "-o", folder[out])
  }

  /// All files but the provenance.
  private func files(_ name: String) throws -> [String: [UInt8]] {
    try folder.tree(name).filter { $0.key != "vpatch.json" }
  }

  @Test("there and back, sharded or not", arguments: [0, 1, 3]) func roundTrip(shards: Int) throws {
    try folder.directory("base", model, shards: shards, files: side)
    try folder.directory(
      "tuned", tuned, shards: shards, files: side.merging(["config.json": "{\"x\": 2}\n", "new.txt": "n"]) { $1 })
    try make("base", "tuned")
    #expect(try apply("base", "out").code == 0)
    #expect(try files("out") == files("tuned"))
    #expect(try apply("out", "back", back: true).code == 0)
    #expect(try files("back") == files("base"))
    #expect(try folder.names() == ["back", "base", "out", "p.vpatch", "tuned"])
  }

  @Test("a base that is sharded otherwise: the same tensors in its own layout") func otherShards() throws {
    try folder.directory("base", model, shards: 2, files: side)
    try folder.directory("tuned", tuned, shards: 2, files: side)
    try folder.directory("base3", model, shards: 3, files: side)
    try make("base", "tuned")
    let run = try apply("base3", "out")
    #expect(run.code == 0)
    #expect(run.output.contains("in the input's file layout"))
    let made = try SafetensorsCheckpoint(path: folder["out"])
    #expect(made.files.count == 3)
    #expect(try made.testTensors() == SafetensorsCheckpoint(path: folder["tuned"]).testTensors())
    #expect(try folder.bytes("out/model.safetensors.index.json") == folder.bytes("base3/model.safetensors.index.json"))
  }

  @Test("a directory and a file are the same checkpoint") func fileForDirectory() throws {
    try folder.directory("base", model, shards: 2)
    try folder.directory("tuned", tuned + [.weights("lm_head.weight", [24, 16])], shards: 2)
    try folder.file("base.safetensors", model)
    try make("base", "tuned")
    #expect(try apply("base.safetensors", "out.safetensors").code == 0)
    let made = try SafetensorsCheckpoint(path: folder["out.safetensors"]).testTensors()
    #expect(try made == SafetensorsCheckpoint(path: folder["tuned"]).testTensors())
  }

  @Test("a snapshot of symbolic links gives real files") func snapshot() throws {
    try folder.directory("blobs", model, shards: 2, files: side)
    try folder.directory("tuned", tuned, shards: 2, files: side)
    try FileManager.default.createDirectory(atPath: folder["snapshots/1"], withIntermediateDirectories: true)
    for name in try folder.names(in: "blobs") {
      try FileManager.default.createSymbolicLink(
        atPath: folder["snapshots/1/\(name)"], withDestinationPath: "../../blobs/\(name)")
    }
    try make("snapshots/1", "tuned")
    #expect(try apply("snapshots/1", "out").code == 0)
    #expect(try files("out") == files("tuned"))
    for name in try folder.names(in: "out") {
      #expect(try PathKind.of(folder["out/\(name)"], followingLinks: false) == .file)
    }
  }

  @Test("a side file that the user changed stays, and is said") func userEdited() throws {
    try folder.directory("base", model, files: side)
    try folder.directory("tuned", tuned, files: side.merging(["config.json": "{\"x\": 2}\n"]) { $1 })
    try make("base", "tuned")
    try folder.directory("mine", model, files: side.merging(["config.json": "{\"mine\": true}\n"]) { $1 })
    let run = try apply("mine", "out")
    #expect(run.code == 0)
    #expect(run.errors.contains("config.json differs from the file that the patch was made with"))
    #expect(try folder.text("out/config.json") == "{\"mine\": true}\n")
  }

  @Test("a side file that goes") func removed() throws {
    try folder.directory("base", model, files: side)
    try folder.directory("tuned", tuned, files: side.filter { $0.key != "README.md" })
    try make("base", "tuned", "--remove-missing-files")
    #expect(try apply("base", "out").code == 0)
    #expect(!folder.exists("out/README.md"))
    #expect(try apply("out", "back", back: true).code == 0)
    #expect(try folder.text("back/README.md") == "base\n")
  }

  @Test("folders come along; weights in other forms and stray shards do not, and are said") func others() throws {
    let more = side.merging(["templates/a.jinja": "{{ x }}", "pytorch_model.bin": "old", "extra.safetensors": "old"]) {
      $1
    }
    try folder.directory("base", model, files: more)
    try folder.directory("tuned", tuned, files: side.merging(["templates/a.jinja": "{{ y }}"]) { $1 })
    let create = try Command("create", folder["base"], folder["tuned"], "-o", folder["p.vpatch"])
    #expect(create.errors.contains("and not included: templates/"))
    let run = try apply("base", "out")
    #expect(run.errors.contains("not copied: extra.safetensors, pytorch_model.bin"))
    #expect(try folder.text("out/templates/a.jinja") == "{{ x }}")
    #expect(!folder.exists("out/pytorch_model.bin"))
  }

  @Test("an output folder must be new or empty") func outputs() throws {
    try folder.directory("base", model)
    try folder.directory("tuned", tuned)
    try make("base", "tuned")
    try folder.write("full/mine", "mine")
    #expect(try apply("base", "full").says("exists and is not empty"))
    #expect(try apply("base", "base").code == 5)
    #expect(try apply("base", "p.vpatch").says("is a file, but the output is a model directory"))
    try FileManager.default.createDirectory(atPath: folder["empty"], withIntermediateDirectories: false)
    #expect(try apply("base", "empty").code == 0)
    try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "empty")
    #expect(try apply("base", "link").says("is a symbolic link"))
    #expect(try folder.text("full/mine") == "mine")
  }

  @Test("a shard that is missing, a name that leads out, no checkpoint at all") func hostile() throws {
    try folder.directory("base", model, shards: 2)
    try folder.directory("tuned", tuned, shards: 2)
    try make("base", "tuned")
    try FileManager.default.removeItem(atPath: folder["base/model-00002-of-00002.safetensors"])
    let missing = try apply("base", "out")
    #expect(missing.code == 1)
    #expect(
      missing.says("index.json", "names the shard \"model-00002-of-00002.safetensors\"", "download the missing shard"))
    try folder.write("evil/model.safetensors.index.json", #"{"weight_map": {"a": "../../x"}}"#)
    let evil = try apply("evil", "out")
    #expect(evil.code == 2)
    #expect(evil.says("\"../../x\"", "not a plain file name"))
    try folder.write("none/config.json", "{}")
    #expect(try apply("none", "out").says("none", "without model.safetensors"))
  }
}
