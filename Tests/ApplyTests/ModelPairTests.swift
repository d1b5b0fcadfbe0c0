import TestModels
import Testing

@testable import Apply
@testable import Checkpoints

/// What is a fine-tune of what, over names by chance and by the kinds of input that people give.
@Suite("A base and its fine-tune") struct ModelPairTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private static let config = #"{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}"#

  /// What may come and go: each with what is in the model already.
  private static let passing: [TestTensor] = [
    .weights("model.layers.0.self_attn.rotary_emb.inv_freq", [8]), .weights("model.layers.2.eh_proj.weight", [4, 4]),
    .weights("model.layers.2.self_attn.q_proj.weight", [4, 4]), .weights("mtp.layers.0.mlp.up_proj.weight", [4, 4]),
    .weights("model.mtp.fc.weight", [4, 4]), .weights("vision_tower.encoder.layers.0.mlp.fc1.weight", [4, 4]),
    .weights("vision_tower.post_layernorm.weight", [4]), .weights("multi_modal_projector.linear_1.weight", [4, 4]),
    .weights("visual.blocks.0.attn.qkv.weight", [4, 4]), .weights("transformer.h.0.attn.bias", [1, 1, 4, 4]),
    .f32("embeddings.empty", [0, 4], []),
  ]

  private func problem(
    _ base: [TestTensor], _ tuned: [TestTensor], _ options: CreateOptions = CreateOptions(),
    baseConfig: String = Self.config,
    tunedConfig: String = Self.config
  ) throws -> ModelPair.Problem? {
    try folder.directory("base", base, files: ["config.json": baseConfig])
    try folder.directory("tuned", tuned, files: ["config.json": tunedConfig])
    return try ModelPair(
      base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder["tuned"])
    )
    .problem(options)
  }

  @Test("what comes and goes by itself, any of it: no problem; with any other tensor: one", arguments: 0..<24)
  func names(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let core = TestModel.llama()
    // A part that sees is gone as a whole or not at all.
    let groups = Dictionary(grouping: Self.passing) { PassingTensors.sense(of: $0.name) ?? $0.name }
    let lost = Set(groups.keys.filter { _ in random.next() & 1 == 0 })
    let kept = groups.filter { !lost.contains($0.key) }.flatMap(\.value)
    #expect(try problem(core + Self.passing, core + kept) == nil)
    #expect(try problem(core + kept, core + Self.passing) == nil)

    let count = 1 + Int(random.next() % UInt64(core.count - 1))
    let others = Array(core.shuffled(using: &random).prefix(count))
    let rest = core.filter { tensor in !others.contains { $0.name == tensor.name } }
    let found = try #require(try problem(core + Self.passing, rest + kept))
    #expect(!found.isOfBase && found.remedy.contains("--partial") && found.remedy.contains("--allow-removals"))
    #expect(others.contains { found.reason.contains("\"\($0.name)\"") }, "\(found.reason)")
    var options = CreateOptions()
    options.allowsRemovals = true
    #expect(try problem(core + Self.passing, rest + kept, options) == nil)
    options = CreateOptions()
    options.isPartial = true
    #expect(try problem(core + Self.passing, rest + kept, options) == nil)

    // The other way round: the tuned side has what no fine-tune adds.
    let swapped = try #require(try problem(rest + kept, core + Self.passing))
    #expect(swapped.isOfBase && swapped.remedy.contains("--allow-additions"))
    options = CreateOptions()
    options.allowsAdditions = true
    #expect(try problem(rest + kept, core + Self.passing, options) == nil)
  }

  @Test("half of a part that sees is no whole") func halfOfAPart() throws {
    let core = TestModel.llama()
    let half = Self.passing.filter { $0.name != "vision_tower.post_layernorm.weight" }
    #expect(
      try problem(core + Self.passing, core + half)?.reason.contains("vision_tower.post_layernorm.weight") == true)
  }

  @Test("a head goes where it is tied, by a config or by its bits, or where the architecture has none") func heads()
    throws
  {
    let model = TestModel.llama()
    let embedding = model["model.embed_tokens.weight"]
    let own = TestTensor.weights("lm_head.weight", embedding.shape, seed: 9)
    let tied = embedding.renamed("lm_head.weight")
    let tying = #"{"tie_word_embeddings": true}"#
    let nested = #"{"text_config": {"tie_word_embeddings": true}}"#
    let classifier = #"{"architectures": ["LlamaForSequenceClassification"]}"#
    #expect(try problem(model + [own], model)?.reason.contains("lm_head.weight") == true)
    #expect(try problem(model + [tied], model) == nil)
    #expect(try problem(model + [own], model, baseConfig: tying) == nil)
    #expect(try problem(model + [own], model, tunedConfig: tying) == nil)
    #expect(try problem(model + [own], model, tunedConfig: nested) == nil)
    #expect(try problem(model + [own], model + [.weights("score.weight", [2, 16])], tunedConfig: classifier) == nil)
    // Nothing is known of the config: the bits alone decide.
    #expect(try problem(model + [own], model, baseConfig: "no JSON", tunedConfig: "[]") != nil)
    #expect(try problem(model + [tied], model, baseConfig: "no JSON", tunedConfig: "[]") == nil)
    // T5 keeps one of its three embeddings.
    let shared = embedding.renamed("shared.weight")
    let name = "encoder.embed_tokens.weight"
    #expect(try problem([shared, embedding.renamed(name), model[3]], [shared, model[3]]) == nil)
    #expect(try problem([shared, own.renamed(name), model[3]], [shared, model[3]]) != nil)
    // It comes as it goes: untying gives a model a head.
    #expect(try problem(model, model + [own]) == nil)
  }

  @Test("layers that a config does not count") func layers() throws {
    let long = TestModel.llama(layers: 4)
    let short = TestModel.llama(layers: 2)
    let four = #"{"num_hidden_layers": 4}"#
    #expect(try problem(long, short, baseConfig: four) == nil)
    #expect(try problem(long, short, baseConfig: four, tunedConfig: four) != nil)
    #expect(try problem(short, long, tunedConfig: four) == nil)
    #expect(try problem(short, long, baseConfig: "{}", tunedConfig: "{}")?.isOfBase == true)
  }

  static let adapters = [
    "model.layers.0.self_attn.q_proj.lora_A.weight", "model.layers.0.self_attn.q_proj.lora_B.default.weight",
    "model.layers.0.self_attn.q_proj.lora_magnitude_vector", "model.embed_tokens.lora_embedding_A",
    "model.embed_tokens.lora_embedding_B", "model.layers.0.mlp.down_proj.ia3_l", "lora_unet_down_blocks_0.alpha",
    "model.layers.0.self_attn.q_proj.hada_w1_a", "model.layers.0.self_attn.q_proj.lokr_w1",
    "model.layers.0.self_attn.q_proj.oft_R.weight", "model.layers.0.self_attn.q_proj.boft_R",
    "model.layers.0.self_attn.q_proj.vera_lambda_b", "prompt_embeddings", "model.layers.0.self_attn.adaption_prompt",
    "layers.0.attention.wq.lora_a", "unet.attn1.processor.to_k_lora.down.weight", "unet.attn1.to_q.lora.up.weight",
    "model.layers.0.self_attn.q_proj.fourierft_spectrum",
  ]

  @Test("an adapter, alone or not merged, on either side", arguments: adapters) func adapterOnASide(name: String) throws
  {
    let model = TestModel.llama()
    let adapter = [TestTensor.weights("base_model.model.\(name)", [4, 4])]
    var all = CreateOptions()
    (all.allowsRemovals, all.allowsAdditions) = (true, true)
    for options in [CreateOptions(), all] {
      #expect(try problem(model, adapter, options)?.reason.contains("adapter, not a model") == true)
      let base = try problem(adapter, model, options)
      #expect(base?.isOfBase == true && base?.reason.contains("adapter, not a model") == true)
    }
    #expect(try problem(model, model + adapter)?.reason.contains("holds unmerged") == true)
    #expect(try problem(model + adapter, model)?.isOfBase == true)
    #expect(try problem(model, model + adapter, all) == nil)
    // Two states of one adapter are a base and its fine-tune.
    #expect(try problem(adapter, adapter.map { $0.tuned() }) == nil)
  }

  static let quantised: [(kind: String, names: [String])] = [
    ("GPTQ", ["model.layers.0.self_attn.q_proj.qweight", "model.layers.0.self_attn.q_proj.qzeros"]),
    ("bitsandbytes", ["model.layers.0.self_attn.q_proj.weight.absmax"]),
    ("bitsandbytes", ["model.layers.0.self_attn.q_proj.weight.quant_state.bitsandbytes__nf4"]),
    ("bitsandbytes", ["model.layers.0.self_attn.q_proj.SCB"]),
    ("float8", ["model.layers.0.self_attn.q_proj.weight_scale_inv"]),
    ("float8", ["model.layers.0.self_attn.q_proj.weight_scale"]),
    ("compressed-tensors", ["model.layers.0.self_attn.q_proj.weight_packed"]),
    ("MXFP4", ["model.layers.0.mlp.experts.gate_up_proj_blocks"]),
    ("MXFP4", ["model.layers.0.mlp.experts.down_proj_scales"]), ("HQQ", ["model.layers.0.self_attn.q_proj.W_q"]),
  ]

  @Test("a quantised side", arguments: quantised) func quantisedSide(kind: String, names: [String]) throws {
    let model = TestModel.llama()
    let codes = names.map { TestTensor($0, "U8", [4], bytes: [1, 2, 3, 4]) }
    let quantised = model.without("0.self_attn.q_proj") + codes
    let found = try #require(try problem(model, quantised))
    #expect(found.reason.contains("is quantised") && found.reason.contains(kind), "\(found.reason)")
    #expect(try problem(quantised, model)?.reason.contains("is not quantised and the base is") == true)
    var all = CreateOptions()
    (all.allowsRemovals, all.allowsAdditions) = (true, true)
    #expect(try problem(model, quantised, all) == nil)
    #expect(try problem(quantised, quantised.map { $0.name.hasSuffix("k_proj.weight") ? $0.tuned() : $0 }) == nil)
  }

  @Test("a quantised side without a tensor of the same shape is no other model") func packed() throws {
    let name = "model.layers.0.mlp.up_proj.weight"
    let codes = [
      TestTensor(name, "U8", [8, 1], bytes: [UInt8](repeating: 1, count: 8)), .f32(name + ".absmax", [1], [2]),
    ]
    let found = try #require(try problem([.weights(name, [4, 4])], codes))
    #expect(found.reason.contains("is quantised (bitsandbytes") && !found.remedy.contains("--allow"))
    #expect(try problem(codes, [.weights(name, [4, 4])])?.reason.contains("is not quantised and the base is") == true)
  }

  @Test("scales of the base do not stay over numbers") func partialOverCodes() throws {
    let name = "model.layers.0.self_attn.q_proj.weight"
    let base =
      TestModel.llama().without("0.self_attn.q_proj") + [
        TestTensor(name, "F8_E4M3", [4], bytes: [1, 2, 3, 4]), .f32(name + "_scale_inv", [1], [2]),
      ]
    var options = CreateOptions()
    options.isPartial = true
    #expect(try problem(base, [.weights(name, [4])], options)?.reason.contains("codes (F8_E4M3) with scales") == true)
  }

  @Test("nothing in common: no names, no shapes, no tensors") func nothing() throws {
    let model = TestModel.llama()
    let other = [TestTensor.weights("bert.encoder.weight", [4, 4]), .weights("unet.conv.weight", [4, 4])]
    #expect(try problem(model, other)?.remedy == "give the base that it was tuned from")
    #expect(try problem(model, TestModel.llama(width: 32))?.reason.contains("but other shapes") == true)
    #expect(try problem(model, [])?.reason == "holds no tensors")
    #expect(try problem([], model)?.isOfBase == true)
    // Another vocabulary alone is a change of rows.
    #expect(try problem([model[0]], [.weights(model[0].name, [30, 16])]) == nil)
  }
}
