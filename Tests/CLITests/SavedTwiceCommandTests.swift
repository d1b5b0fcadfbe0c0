import Base
import Foundation
import PatchFormat
import TestModels
import Testing

/// What commands make of a folder with model.safetensors and an index, of adapters and other weights beside a model.
@Suite("Commands over folders that were saved twice") struct SavedTwiceCommandTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }
  var twice: String { folder["twice"] }

  /// `twice`: model.safetensors is that of `sa`, the index's shards are those of `base`.
  init() throws {
    scene = try EvalScene()
    try FileManager.default.copyItem(atPath: scene.sa, toPath: folder["twice"])
    try folder.directory("shards", folder.testTensors("base"), shards: 2)
    for name in try folder.names(in: "shards") where name != "vpatch.json" {
      try FileManager.default.copyItem(atPath: folder["shards/\(name)"], toPath: folder["twice/\(name)"])
    }
  }

  private func run(_ arguments: String...) throws -> Command { try Command(Command.path, arguments) }

  private func score(_ model: String, _ more: String...) throws -> Command {
    try Command(Command.path, ["score", model, "--text", "The cat sat", "--json"] + more)
  }

  private func train(_ model: String) throws -> Command {
    try folder.write("learn.jsonl", #"{"text": "the cat sat"}"#)
    return try run(
      "train", model, "--data", folder["learn.jsonl"], "--recipe", "sa-proj", "--steps", "1", "--lr", "0.01", "-o",
      folder["t.vpatch"], "--no-store", "--force")
  }

  private func lose() throws {
    try FileManager.default.removeItem(atPath: folder["twice/model-00002-of-00002.safetensors"])
  }

  @Test("generate and score take what transformers takes, and name what is stale; -q does not") func computing() throws
  {
    let (one, other) = (try score(scene.sa), try score(twice))
    let base = try score(scene.base)
    #expect(other.code == 0 && other.output == one.output && other.output != base.output)
    #expect(other.errors.contains("warning: \(twice) was saved twice: model.safetensors is read"))
    #expect(
      other.errors.contains(
        "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors, model.safetensors.index.json"))
    #expect(try score(twice, "-q").errors.isEmpty)
    try lose()
    #expect(try score(twice).output == one.output)
    let words = try run("generate", twice, "cat", "--max-tokens", "6")
    let same = try run("generate", scene.sa, "cat", "--max-tokens", "6")
    #expect(words.code == 0 && words.output == same.output)
    #expect(words.errors.contains("warning: "))
  }

  @Test("train and eval refuse where the two differ, or a shard is missing; not where they are the same")
  func bound() throws {
    for isWhole in [true, false] {
      if !isWhole { try lose() }
      for run in [
        try train(twice), try run("eval", twice, "--suite", scene.suite),
        try run("eval", scene.base, "--base", twice, "--suite", scene.suite),
      ] {
        #expect(
          run.code == 5
            && run.says("was saved twice", "remove model.safetensors.index.json", "remove model.safetensors"),
          "\(run.errors)")
        #expect(!folder.exists("t.vpatch"))
      }
    }
    // The way out.
    try FileManager.default.removeItem(atPath: folder["twice/model.safetensors.index.json"])
    #expect(try train(twice).code == 0)

    try folder.file("twice/model.safetensors", folder.testTensors("base"))
    for name in try folder.names(in: "shards") where name != "vpatch.json" {
      try? FileManager.default.removeItem(atPath: folder["twice/\(name)"])
      try FileManager.default.copyItem(atPath: folder["shards/\(name)"], toPath: folder["twice/\(name)"])
    }
    let trained = try train(twice)
    #expect(trained.code == 0 && trained.errors.contains("warning: \(twice) was saved twice"), "\(trained.errors)")
  }

  @Test("patches are made of the index's shards, applied to them, and switched, with the warning") func patches() throws
  {
    let warning = "warning: \(twice) was saved twice: the shards that model.safetensors.index.json names are read"
    let create = try run("create", scene.base, twice, "-o", folder["none.vpatch"], "--no-store")
    // The shards are the base's: nothing has changed.
    #expect(create.code != 0 && create.errors.contains(warning))
    let apply = try run("apply", twice, scene.saPatch, "-o", folder["out"])
    #expect(apply.code == 0 && apply.errors.contains(warning), "\(apply.errors)")
    #expect(try folder.testTensors("out") == folder.testTensors("sa"))
    for arguments in [
      ["diff", scene.base, twice], ["status", twice], ["verify", scene.saPatch, "--base", twice],
      ["show", scene.saPatch, "--json"],
    ] where arguments[0] != "show" {
      let run = try Command(Command.path, arguments)
      #expect(run.code == 0 && run.errors.contains(warning), "\(arguments): \(run.errors)")
    }
    #expect(try run("add", scene.saPatch, "--name", "sa").code == 0)
    let live = try run("switch", twice, "sa")
    #expect(live.code == 0 && live.errors.contains(warning), "\(live.errors)")
    #expect(try folder.testTensors("twice") == folder.testTensors("sa"))
  }

  @Test("with a shard missing they are refused, with both ways out, and nothing is changed") func refused() throws {
    try lose()
    let before = try folder.tree("twice")
    for arguments in [
      ["create", scene.base, twice, "-o", folder["n.vpatch"]], ["create", twice, scene.sa, "-o", folder["n.vpatch"]],
      ["apply", twice, scene.saPatch, "-o", folder["out"]], ["diff", scene.base, twice], ["status", twice],
      ["verify", scene.saPatch, "--base", twice], ["switch", twice, scene.saPatch],
      ["revert", twice, scene.saPatch, "-o", folder["out"]],
    ] {
      let run = try Command(Command.path, arguments)
      #expect(
        run.code == 5 && run.says("was saved twice", "names the shard", "remove model.safetensors"),
        "\(arguments): \(run.errors)")
    }
    #expect(try folder.tree("twice") == before && !folder.exists("out") && !folder.exists("n.vpatch"))
    try FileManager.default.removeItem(atPath: folder["twice/model.safetensors.index.json"])
    #expect(try run("apply", twice, scene.mlpPatch, "-o", folder["out"]).code != 5)
  }

  @Test("other weights beside a model are said") func strays() throws {
    try folder.write("base/consolidated.safetensors", "x")
    try folder.write("base/pytorch_model.bin", "x")
    let words = "warning: \(scene.base) holds weights that are not read: consolidated.safetensors, pytorch_model.bin"
    #expect(try score(scene.base).errors.contains(words))
    #expect(try run("create", scene.base, scene.sa, "-o", folder["n.vpatch"]).errors.contains(words))
  }

  @Test("an adapter beside a model, or other weights by the config, are not passed over") func adapter() throws {
    try folder.write("base/adapter_config.json", "{}")
    for run in [try score(scene.base), try train(scene.base), try run("eval", scene.base, "--suite", scene.suite)] {
      #expect(run.code == 5 && run.says("has an adapter beside the model", "merge_and_unload"), "\(run.errors)")
    }
    try FileManager.default.moveItem(atPath: folder["base/adapter_config.json"], toPath: folder["adapter_config.json"])
    #expect(try score(scene.base).code == 0)
    let config = try JSON.parse(folder.bytes("base/config.json"))
    try folder.write("base/config.json", config.setting("transformers_weights", to: .string("x.safetensors")).pretty())
    #expect(try score(scene.base).says("names weights that vpatch does not read"))
  }

  @Test("a tensor that would be left out, and one that a patch brings along") func leftOut() throws {
    let extra = TestTensor.bf16("model.layers.0.self_attn.q_norm.weight", [8], [Float](repeating: 1, count: 8))
    try folder.directory("more", folder.testTensors("base") + [extra])
    let create = try run(
      "create", scene.base, folder["more"], "-o", folder["more.vpatch"], "--no-store", "--allow-additions")
    #expect(create.code == 0, "\(create.errors)")
    try folder.file("twice/model.safetensors", folder.testTensors("base") + [extra])
    for name in try folder.names(in: "shards") { try FileManager.default.removeItem(atPath: folder["twice/\(name)"]) }
    for run in [
      try score(twice), try run("generate", twice, "cat"), try train(twice),
      try run("eval", twice, "--suite", scene.suite), try score(scene.base, "--patch", folder["more.vpatch"]),
    ] {
      #expect(
        run.code == 5
          && run.errors.contains("that would not be used: \"model.layers.0.self_attn.q_norm.weight\""),
        "\(run.errors)")
    }
  }

  @Test("a tied model's own head: used, with a warning; a patch may bring it along") func ownHead() throws {
    let embedding = try #require(try folder.testTensors("base").first { $0.name == "model.embed_tokens.weight" })
    let head = TestTensor("lm_head.weight", embedding.dtype, embedding.shape, bytes: embedding.bytes.reversed())
    let same = TestTensor("lm_head.weight", embedding.dtype, embedding.shape, bytes: embedding.bytes)
    try folder.directory("head", folder.testTensors("base") + [head])
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(atPath: folder["base/\(name)"], toPath: folder["head/\(name)"])
    }
    let (plain, own) = (try score(scene.base), try score(folder["head"]))
    #expect(own.code == 0 && own.output != plain.output && own.errors.contains("warning: config.json ties the head"))
    let create = try run("create", scene.base, folder["head"], "-o", folder["head.vpatch"], "--no-store")
    #expect(create.code == 0, "\(create.errors)")
    let patched = try score(scene.base, "--patch", folder["head.vpatch"])
    #expect(patched.output == own.output && patched.errors.contains("warning: config.json ties"), "\(patched.errors)")

    // Stored twice with the same values: what tunes the embedding tunes both.
    try folder.file("head/model.safetensors", folder.testTensors("base") + [same])
    #expect(try score(folder["head"]).output == plain.output)
    try folder.write("learn.jsonl", #"{"text": "the cat sat"}"#)
    let train = try run(
      "train", folder["head"], "--data", folder["learn.jsonl"], "--only", "model.embed_tokens.weight", "--steps", "2",
      "--lr",
      "0.01", "-o", folder["e.vpatch"], "--no-store")
    #expect(train.code == 0, "\(train.errors)")
    let patch = try Patch(path: folder["e.vpatch"])
    #expect(patch.header.touched.map(\.name) == ["lm_head.weight", "model.embed_tokens.weight"])
    #expect(patch.header.touched[0].target?.fingerprint == patch.header.touched[1].target?.fingerprint)
    let tuned = try score(folder["head"], "--patch", folder["e.vpatch"])
    #expect(tuned.code == 0 && !tuned.errors.contains("warning: config.json ties"))
  }
}
