import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch create") struct CreateTests {
  let folder: TestFolder
  let model = TestModel.llama()

  init() throws {
    folder = try TestFolder()
    try folder.file("base.safetensors", model)
    try folder.file("sa.safetensors", model.tuned(TestModel.attention))
  }

  private func create(_ tuned: String, _ more: String..., output: String = "p.vpatch") throws -> Command {
    try Command(
      Command.path, ["create", folder["base.safetensors"], folder[tuned], "-o", folder[output]] + more)
  }

  @Test("says what changed, the recipe it amounts to, the sizes") func table() throws {
    let run = try create("sa.safetensors")
    #expect(run.code == 0)
    #expect(run.output.contains("self_attn.q_proj.weight  change  0–1"))
    #expect(run.output.contains("recipe    sa-proj (covers all changes)"))
    #expect(run.output.contains("of the tuned tensors"))
    #expect(run.output.contains("of the model"))
    #expect(run.errors.isEmpty)
  }

  @Test("--json is the same to a program") func json() throws {
    let run = try create("sa.safetensors", "--json")
    let json = try JSON.parse(Array(run.output.utf8))
    #expect(json["recipe"]?.string == "sa-proj")
    #expect(json["identity"]?.string?.count == 64)
    #expect(json["changes"]?.array?.count == 4)
    #expect(json["bytes"]?.int == (try folder.bytes("p.vpatch").count))
  }

  @Test("--quiet says nothing") func quiet() throws {
    let run = try create("sa.safetensors", "--quiet")
    #expect(run.code == 0)
    #expect(run.output.isEmpty && run.errors.isEmpty)
  }

  @Test("--recipe proves") func proves() throws {
    let run = try create("sa.safetensors", "--recipe", "sa-proj")
    #expect(run.code == 0)
    #expect(run.output.contains("proved"))
  }

  @Test("--recipe refuses what else changed, names it, and writes nothing") func refuses() throws {
    try folder.file("both.safetensors", model.tuned(TestModel.attention + ["1.mlp.down_proj"]))
    let run = try create("both.safetensors", "--recipe", "sa-proj")
    #expect(run.code == 5)
    #expect(
      run.says("both.safetensors", "changes 1 tensor outside", "model.layers.1.mlp.down_proj.weight", "--drop-others"))
    #expect(try folder.names() == ["base.safetensors", "both.safetensors", "sa.safetensors"])
  }

  @Test("--drop-others leaves the rest out: the target is the reduced one") func drops() throws {
    try folder.file("both.safetensors", model.tuned(TestModel.attention + ["mlp.down_proj"]))
    let run = try create("both.safetensors", "--recipe", "sa-proj", "--drop-others")
    #expect(run.code == 0)
    #expect(run.output.contains("dropped   2 changed tensors, first model.layers.0.mlp.down_proj.weight"))
    _ = try create("sa.safetensors", output: "sa.vpatch")
    let targets = try ["p", "sa"].map { try Patch(path: folder["\($0).vpatch"]).header.targetRoot }
    #expect(targets[0] == targets[1])
  }

  @Test("--only takes a regular expression for the whole name") func only() throws {
    let run = try create("sa.safetensors", "--only", #"model\.layers\.\d+\.self_attn\..*"#)
    #expect(run.code == 0)
    let partial = try create("sa.safetensors", "--only", "self_attn", output: "q.vpatch")
    #expect(partial.code == 5)
    #expect(partial.says("changes 8 tensors outside the pattern self_attn"))
    let broken = try create("sa.safetensors", "--only", "(", output: "q.vpatch")
    #expect(broken.code == 5)
    #expect(broken.says("--only", "is not a valid name pattern"))
  }

  @Test("options that do not go together") func options() throws {
    #expect(try create("sa.safetensors", "--recipe", "mlp", "--only", "x").code == 64)
    #expect(try create("sa.safetensors", "--drop-others").code == 64)
    let unknown = try create("sa.safetensors", "--recipe", "attention")
    #expect(unknown.code == 64)
    #expect(unknown.errors.contains("sa-proj"))
  }

  @Test("the same tensors make no patch") func same() throws {
    let run = try create("base.safetensors")
    #expect(run.code == 5)
    #expect(run.says("has the same tensors as the base"))
    #expect(!folder.exists("p.vpatch"))
  }

  @Test("names and notes travel") func annotations() throws {
    #expect(try create("sa.safetensors", "--name", "counting", "--note", "150 steps").code == 0)
    let show = try Command("show", folder["p.vpatch"])
    #expect(show.output.contains("name       counting\n"))
    #expect(show.output.contains("note       150 steps\n"))
  }

  @Test("one and two threads write the same bytes") func threads() throws {
    _ = try create("sa.safetensors", "--threads", "1", output: "one.vpatch")
    _ = try create("sa.safetensors", "--threads", "2", output: "two.vpatch")
    #expect(try folder.bytes("one.vpatch") == folder.bytes("two.vpatch"))
  }

  @Test("a patch that exists is replaced with --force alone") func force() throws {
    try folder.write("p.vpatch", "mine")
    let run = try create("sa.safetensors")
    #expect(run.code == 5)
    #expect(run.says("p.vpatch", "already exists", "--force"))
    #expect(try folder.text("p.vpatch") == "mine")
    #expect(try create("sa.safetensors", "--force").code == 0)
  }

  @Test("another layout's names: refused with a hint, found with --map-keys auto") func layouts() throws {
    try folder.file(
      "wrapped.safetensors",
      model.tuned(TestModel.attention).map { $0.renamed($0.name.replacing("model.", with: "model.language_model.")) })
    let run = try create("wrapped.safetensors")
    #expect(run.code == 5)
    #expect(run.says("has no tensor name in common with the base", "20 of 20", "--map-keys auto"))
    let mapped = try create("wrapped.safetensors", "--map-keys", "auto")
    #expect(mapped.code == 0)
    #expect(mapped.output.contains("renamed   20 tensors matched by another layout's names"))
    _ = try create("sa.safetensors", output: "sa.vpatch")
    #expect(try Patch(path: folder["p.vpatch"]).identity == Patch(path: folder["sa.vpatch"]).identity)
  }

  @Test("a store that cannot be made: said before the work, with the way out") func noStore() throws {
    let story = try Story()
    let patch = story.folder["new.vpatch"]
    let run = try Command("create", story.base, story.sa, "-o", patch, "--store", "/proc/none/store")
    #expect(run.code == 1)
    #expect(run.says("/proc/none", "cannot be created", "--no-store writes the patch without a store"), "\(run.errors)")
    #expect(try PathKind.of(patch) == .missing)
    #expect(
      try Command("create", story.base, story.sa, "-o", patch, "--store", "/proc/none/store", "--no-store").code == 0)
  }

  /// By the clock, and so anywhere between the first byte that is read and the patch's name. Where it is placed by event:
  /// ChangedInputTests.
  @Test("an input that another process writes to: a patch that is right, or none", arguments: ["base", "sa"])
  func changing(name: String) throws {
    let path = folder["\(name).safetensors"]
    let before = try folder.bytes("base.safetensors")
    let original = try folder.bytes("\(name).safetensors")
    for delay in stride(from: 0, to: 240, by: 12) {
      try folder.write("\(name).safetensors", original)
      let started = try Command.start(
        Command.path,
        ["create", folder["base.safetensors"], folder["sa.safetensors"], "-o", folder["p.vpatch"], "--force", "-q"])
      usleep(UInt32(delay) * 1000)
      // Somewhere in the second half: in one of several tensors, touched or not.
      let file = try FileHandle(forUpdating: URL(filePath: path))
      try file.seek(toOffset: UInt64(original.count / 2 + delay * 7))
      try file.write(contentsOf: Data(repeating: 0x3E, count: 64))
      try file.close()
      let errors = String(decoding: started.errors.readDataToEndOfFile(), as: UTF8.self)
      started.process.waitUntilExit()
      guard started.process.terminationStatus == 0 else {
        #expect(started.process.terminationStatus == 1 && errors.contains("\(path): was changed while"), "\(errors)")
        continue
      }
      try folder.write("before.safetensors", before)
      let isRight = try ["before.safetensors", "base.safetensors"].contains { base in
        let applied = try Command(
          "apply", folder[base], folder["p.vpatch"], "-o", folder["there.safetensors"], "--full", "--force")
        guard applied.code == 0 else { return false }
        let back = try Command(
          "revert", folder["there.safetensors"], folder["p.vpatch"], "-o", folder["back.safetensors"], "--force")
        return try back.code == 0 && folder.bytes("back.safetensors") == folder.bytes(base)
      }
      #expect(isRight, "after \(delay) ms")
    }
  }
}
