import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// Tensors that libraries drop when they load or save a model: with a recipe, a pattern or --partial they stay as in the
/// base. A head that is the embedding's copy is no change of its own.
@Suite("What trainers drop") struct DroppedTensorTests {
  let folder: TestFolder
  let model = TestModel.llama()
  var head: TestTensor { model[0].renamed("lm_head.weight") }

  init() throws { folder = try TestFolder() }

  private static let config = #"{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}"#
  private static let tied =
    #"{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "tie_word_embeddings": true}"#

  private static let dropped: [TestTensor] = [
    .weights("model.layers.0.self_attn.rotary_emb.inv_freq", [8]), .weights("model.layers.2.eh_proj.weight", [4, 4]),
    .weights("model.layers.2.self_attn.q_proj.weight", [4, 4]), .weights("mtp.layers.0.mlp.up_proj.weight", [4, 4]),
    .weights("model.mtp.fc.weight", [4, 4]), .weights("visual.blocks.0.attn.qkv.weight", [4, 4]),
    .f32("model.empty", [0, 4], []),
  ]

  @discardableResult
  private func create(
    _ base: [TestTensor], _ tuned: [TestTensor], config: String = Self.config,
    _ change: (inout CreateOptions) throws -> Void
  ) throws -> (patch: Patch, result: CreateResult) {
    try folder.directory("base", base, files: ["config.json": config])
    try folder.directory("tuned", tuned, files: ["config.json": config])
    var options = CreateOptions()
    try change(&options)
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder["tuned"]),
      options: options, work: WorkOptions(threads: 2))
    let result = try create.write(to: folder["p.vpatch"], replacing: true)
    return (try Patch(path: folder["p.vpatch"]), result)
  }

  /// The tensors that the last patch makes of the base, and that the base is again when it is reverted.
  private func applied(_ patch: Patch) throws -> [String: [UInt8]] {
    for (start, direction, end) in [("base", Direction.forward, "made"), ("made", .backward, "again")] {
      let rebuild = Rebuild(
        try SafetensorsCheckpoint(path: folder[start]), [PatchStep(patch, direction)], WorkOptions(threads: 2))
      _ = try rebuild.write(to: folder[end], full: true)
    }
    #expect(try folder.bytes("again/model.safetensors") == folder.bytes("base/model.safetensors"))
    let made = try folder.testTensors("made")
    for name in ["made", "again"] { try FileManager.default.removeItem(atPath: folder[name]) }
    return Dictionary(uniqueKeysWithValues: made.map { ($0.name, $0.bytes) })
  }

  private func bytes(_ tensors: [TestTensor]) -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.bytes) })
  }

  @Test("any of it: the patch is that of the whole model, and names what it kept", arguments: 0..<12)
  func kept(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let base = model + Self.dropped
    let tuned = base.tuned(TestModel.attention.map { "layers.1." + $0 })
    let whole = try create(base, tuned) { $0.selection = .recipe(.saProj) }
    #expect(whole.result.kept.isEmpty && whole.patch.annotations["made"]?["kept"] == nil)
    let lost = Set(Self.dropped.map(\.name).filter { _ in random.next() & 1 == 0 } + [Self.dropped[seed % 7].name])
    let rest = tuned.filter { !lost.contains($0.name) }
    let ways: [(inout CreateOptions) throws -> Void] = [
      { $0.selection = .recipe(.saProj) }, { $0.isPartial = true },
      { $0.selection = .only(try NamePattern(#"model\.layers\.1\.self_attn\..*"#)) },
      {
        $0.selection = .recipe(.saProj)
        $0.dropOthers = true
      },
    ]
    for way in ways {
      let (patch, result) = try create(base, rest, way)
      #expect(patch.identity == whole.patch.identity)
      #expect(Set(result.kept) == lost && result.dropped.isEmpty)
      #expect(patch.annotations["made"]?["kept"]?.array?.compactMap(\.string) == lost.sorted())
      #expect(try applied(patch) == bytes(tuned))
    }
    // Without a recipe the target is the tuned checkpoint.
    let (plain, result) = try create(base, rest) { _ in }
    #expect(result.kept.isEmpty && plain.header.touched.count { $0.operation == .remove } == lost.count)
    #expect(try applied(plain) == bytes(rest))
  }

  @Test("what no library drops is refused, with the way to keep it") func refused() throws {
    let tuned = model.tuned(TestModel.attention).without("layers.0.mlp.up_proj")
    #expect {
      try create(model + Self.dropped, tuned) { $0.selection = .recipe(.saProj) }
    } throws: {
      "\($0)".contains("\"model.layers.0.mlp.up_proj.weight\"") && "\($0)".contains("with --partial")
    }
    let (_, result) = try create(model + Self.dropped, tuned) {
      $0.selection = .recipe(.saProj)
      $0.isPartial = true
    }
    #expect(result.kept.count == Self.dropped.count + 1)
    // Accepted removals are changes like others.
    #expect {
      try create(model + Self.dropped, tuned) {
        $0.selection = .recipe(.saProj)
        $0.allowsRemovals = true
      }
    } throws: {
      "\($0)".contains("changes 1 tensor outside the recipe sa-proj: \"model.layers.0.mlp.up_proj.weight\"")
    }
  }

  @Test("an added head that is the embedding breaks no recipe; another one does", arguments: [Self.config, Self.tied])
  func addedHead(config: String) throws {
    let tuned = model.tuned(TestModel.attention)
    let recipe: (inout CreateOptions) -> Void = { $0.selection = .recipe(.saProj) }
    let (patch, _) = try create(model, tuned + [head], config: config, recipe)
    #expect(patch.header.touched.filter { $0.operation == .add }.map(\.name) == ["lm_head.weight"])
    #expect(try applied(patch) == bytes(tuned + [head]))
    #expect(try Verify(patch, WorkOptions(threads: 1)).recipe(.saProj).what == "recipe")
    #expect {
      try create(model, tuned + [head.tuned()], config: config, recipe)
    } throws: {
      "\($0)".contains("outside the recipe sa-proj: \"lm_head.weight\"")
    }
    // A copy of an embedding that may not change is not allowed either.
    let moved = [model[0].tuned()] + tuned.dropFirst()
    #expect {
      try create(model, moved + [moved[0].renamed("lm_head.weight")], config: config, recipe)
    } throws: {
      "\($0)".contains("changes 2 tensors outside") && "\($0)".contains("\"lm_head.weight\"")
    }
    // A head that was another tensor and became a copy has changed.
    #expect {
      try create(model + [head.tuned()], tuned + [head], config: config, recipe)
    } throws: {
      "\($0)".contains("changes 1 tensor outside the recipe sa-proj: \"lm_head.weight\"")
    }
  }

  @Test("a removed head stays, and follows its embedding where that may change", arguments: [Self.config, Self.tied])
  func removedHead(config: String) throws {
    let base = model + [head]
    let tuned = model.tuned(TestModel.attention)
    let (patch, result) = try create(base, tuned, config: config) { $0.selection = .recipe(.saProj) }
    #expect(result.kept == ["lm_head.weight"] && patch.header.touched.allSatisfy { $0.operation == .change })
    #expect(try applied(patch) == bytes(tuned + [head]))

    let moved = [model[0].tuned()] + tuned.dropFirst()
    let both = bytes(moved + [moved[0].renamed("lm_head.weight")])
    let ways: [(inout CreateOptions) throws -> Void] = [
      { $0.selection = .recipe(.llm) }, { $0.isPartial = true },
      { $0.selection = .only(try NamePattern(#"model\.embed_tokens\.weight|.*\.self_attn\..*"#)) },
    ]
    for way in ways {
      let (patch, result) = try create(base, moved, config: config, way)
      #expect(result.kept.isEmpty)
      #expect(try applied(patch) == both)
    }
    #expect {
      try create(base, moved, config: config) { $0.selection = .recipe(.saProj) }
    } throws: {
      "\($0)".contains("\"model.embed_tokens.weight\"")
    }
  }
}
