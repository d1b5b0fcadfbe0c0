import Testing

@testable import Apply

@Suite("Components: recipes and selections")
struct ComponentsRecipeTests {
  /// Tensors and weights that each recipe takes; biases count as tensors of their own, so
  /// 28 layers of Qwen2 have 4 weights and 3 biases in SA Proj: 196.
  @Test(
    "counts of the full-size models",
    arguments: [
      ("Qwen2.5-VL-7B-Instruct", Recipe.saProj, 196, 822_212_608),
      ("Qwen2.5-VL-7B-Instruct", .saQKV, 168, 462_551_040),
      ("Qwen2.5-VL-7B-Instruct", .gateUp, 56, 3_802_136_576),
      ("Qwen2.5-VL-7B-Instruct", .down, 28, 1_901_068_288),
      ("Qwen2.5-VL-7B-Instruct", .mlp, 84, 5_703_204_864),
      ("Qwen2.5-VL-7B-Instruct", .llm, 339, 7_615_616_512),
      ("Qwen2.5-VL-7B-Instruct", .projector, 5, 44_574_464),
      ("Qwen2.5-VL-7B-Instruct", .vision, 385, 631_975_680),
      ("Qwen2.5-VL-7B-Instruct", .full, 729, 8_292_166_656),
      ("Qwen2.5-VL-3B-Instruct", .saProj, 252, 339_830_784),
      ("llava-onevision-qwen2-7b-ov-hf", .saProj, 196, 822_212_608),
      ("llava-onevision-qwen2-7b-ov-hf", .gateUp, 56, 3_802_136_576),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", .saProj, 196, 822_212_608),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", .gateUp, 56, 3_802_136_576),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", .projector, 4, 16_980_992),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", .vision, 421, 397_747_744),
      ("llava-v1.6-mistral-7b-hf", .saProj, 128, 1_342_177_280),
      ("llava-v1.6-mistral-7b-hf", .gateUp, 64, 3_758_096_384),
    ])
  func counts(file: String, recipe: Recipe, tensors: Int, weights: Int) throws {
    let taken = try KeyList(file).taken(by: recipe)
    #expect(taken.names.count == tensors)
    #expect(taken.weights == weights)
  }

  @Test("biases: Qwen2 has them on q, k, v and not on o; Mistral has none")
  func biases() throws {
    let qwen = try KeyList("llava-onevision-qwen2-7b-ov-hf").taken(by: .saProj).names
    #expect(qwen.filter { $0.hasSuffix("_proj.bias") }.count == 28 * 3)
    #expect(qwen.filter { $0.hasSuffix("o_proj.bias") } == [])
    let mistral = try KeyList("llava-v1.6-mistral-7b-hf").taken(by: .saProj).names
    #expect(mistral.filter { $0.hasSuffix("bias") } == [])
  }

  @Test(
    "language recipes never reach vision tower, projector, norm, embedding or head",
    arguments: KeyList.all)
  func never(file: String) throws {
    let list = try KeyList(file)
    for recipe in [Recipe.saProj, .saQKV, .gateUp, .mlp, .down] {
      let regions = Set(list.taken(by: recipe).names.map { list.layout.component(of: $0).region })
      #expect(regions == [.decoderLayer])
    }
    // The substring selector's mistake, spelled out: these names are there and are not taken.
    let lookalikes = list.names.filter {
      ($0.contains("self_attn.q_proj") || $0.contains("mlp.gate_proj")) && $0.contains("vis")
    }
    #expect(lookalikes.isEmpty == ["tiny-llama", "tiny-qwen2"].contains(file))
    #expect(
      lookalikes.allSatisfy { Recipe.vision.contains(list.layout.component(of: $0)) })
  }

  @Test("llm, projector and vision share nothing and make the whole", arguments: KeyList.all)
  func partition(file: String) throws {
    let list = try KeyList(file)
    let parts = [Recipe.llm, .projector, .vision].flatMap { list.taken(by: $0).names }
    #expect(parts.sorted() == list.taken(by: .full).names.sorted())
  }

  @Test("relatives: Qwen3's norms, Gemma's norms, Phi-3's fused projections, old LLaMA's buffer")
  func relatives() throws {
    let layout = try KeyList("tiny-llama").layout
    func recipes(_ suffix: String) -> [Recipe] {
      let component = layout.component(of: "model.layers.5.\(suffix)")
      return Recipe.allCases.filter { $0.contains(component) }
    }
    #expect(recipes("self_attn.q_norm.weight") == [.norms, .llm, .full])
    #expect(recipes("pre_feedforward_layernorm.weight") == [.norms, .llm, .full])
    #expect(recipes("self_attn.rotary_emb.inv_freq") == [.llm, .full])
    #expect(recipes("self_attn.qkv_proj.weight") == [.saProj, .saQKV, .llm, .full])
    #expect(recipes("self_attn.o_proj.bias") == [.saProj, .attentionOutput, .llm, .full])
    #expect(recipes("mlp.gate_up_proj.weight") == [.gateUp, .gateUpDense, .mlp, .llm, .full])
    #expect(recipes("mlp.down_proj.weight") == [.mlp, .down, .llm, .full])
  }

  @Test("the smallest recipe that covers what changed", arguments: Recipe.allCases)
  func recognised(recipe: Recipe) throws {
    let list = try KeyList("Qwen2.5-VL-7B-Instruct")
    let changed = list.taken(by: recipe).names.map(list.layout.component(of:))
    let model = list.names.map(list.layout.component(of:))
    // The model has no experts: the general recipes say as much as the narrow ones.
    let expected: Recipe? =
      switch recipe {
      case .gateUpDense: .gateUp
      case .gateUpExperts, .experts, .router: nil
      default: recipe
      }
    #expect(Recipe.recognise(changed: changed, of: model) == expected)
    #expect(changed.allSatisfy { Recipe.recognise(changed: [$0], of: model)!.contains($0) })
  }

  @Test("a change that no small recipe covers")
  func recognisedMixtures() throws {
    let list = try KeyList("llava-v1.6-mistral-7b-hf")
    let layout = list.layout
    let model = list.names.map(layout.component(of:))
    func recognise(_ names: String...) -> Recipe? {
      Recipe.recognise(changed: names.map(layout.component(of:)), of: model)
    }
    let layer = "language_model.model.layers.0."
    let q = layer + "self_attn.q_proj.weight"
    #expect(recognise() == nil)
    #expect(recognise(q) == .saQKV)
    #expect(recognise(q, layer + "self_attn.o_proj.weight") == .saProj)
    #expect(recognise(q, layer + "mlp.gate_proj.weight") == .llm)
    #expect(recognise(layer + "mlp.up_proj.weight", layer + "mlp.down_proj.weight") == .mlp)
    #expect(recognise(q, "image_newline") == .llm)
    #expect(recognise(q, "multi_modal_projector.linear_1.weight") == .full)
    #expect(recognise("never.seen.weight") == .full)
  }

  @Test("recipes are spelled as on the command line")
  func spelling() {
    #expect(
      Recipe.allCases.map(\.description) == [
        "sa-proj", "sa-qkv", "attention-output", "gate-up", "gate-up-dense", "gate-up-experts", "mlp", "down",
        "experts",
        "router", "norms", "embeddings", "llm", "projector", "vision", "full",
      ])
    #expect(Recipe(rawValue: "sa_proj") == nil)
    #expect(Recipe.gateUp.summary == "MLP gate and up projections of the language model")
  }

  @Test("a selection takes a recipe's tensors or the names that match as a whole")
  func selections() throws {
    let list = try KeyList("llava-onevision-qwen2-7b-ov-hf")
    let layout = list.layout
    func only(_ pattern: String) throws -> [String] {
      Selection.only(try NamePattern(pattern)).filter(list.names, in: layout)
    }
    #expect(Selection.recipe(.saProj).filter(list.names, in: layout).count == 196)
    #expect(try only("self_attn.q_proj") == [])
    #expect(try only(#".*\.self_attn\.q_proj\.weight"#).count == 28 + 26)
    #expect(
      try only(#"language_model\.model\.layers\.[0-9]+\.self_attn\.q_proj\.weight"#).count == 28)
    #expect(try only("image_newline|.*linear_1.bias").count == 2)
    let newline = Selection.only(try NamePattern("image_newline"))
    #expect(newline.contains("image_newline", in: layout))
    #expect(!newline.contains("image_newline2", in: layout))
    #expect(try !NamePattern(#"layers\.\d"#).matches("layers.١"))
  }

  @Test("a pattern that is none is refused with the reason")
  func badPatterns() throws {
    let error = #expect(throws: NamePatternError.self) { try NamePattern("layers.(0|1") }
    #expect(
      error?.description
        == "'layers.(0|1' is not a valid name pattern: lacks a \")\"; \(NamePatternError.remedy)")
    let empty = #expect(throws: NamePatternError.self) { try NamePattern("") }
    #expect(
      empty?.description
        == "the name pattern is empty and would match no tensor; write .* for every name")
  }
}
