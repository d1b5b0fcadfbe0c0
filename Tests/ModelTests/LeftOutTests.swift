import Apply
import Base
import Checkpoints
import TestModels
import Testing

@testable import Model

/// A tensor that no computation reads is an error; what transformers passes over, or has and does not need, is not.
@Suite("Tensors that would be left out") struct LeftOutTests {
  private func model(
    _ folder: TestFolder, _ name: String, adding: [TestTensor] = [], _ change: (JSON) -> JSON = { $0 }
  ) throws -> LanguageModel {
    let tiny = try TinyModel(name)
    try folder.write("config.json", change(JSON.parse(folder.bytes("\(tiny.folder)/config.json"))).pretty())
    if name != "tiny-llama", name != "tiny-qwen2" {
      try folder.write("preprocessor_config.json", folder.bytes("\(tiny.folder)/preprocessor_config.json"))
    }
    try folder.file("model.safetensors", SafetensorsCheckpoint(path: tiny.folder).testTensors() + adding)
    return try LanguageModel(ModelView(SafetensorsCheckpoint(path: folder.path)), compute: Compute(threads: 1))
  }

  private func refusal(_ name: String, adding: TestTensor, _ change: (JSON) -> JSON = { $0 }) throws -> VPatchError? {
    let folder = try TestFolder()
    do { _ = try model(folder, name, adding: [adding], change) } catch { return error as? VPatchError }
    return nil
  }

  @Test(
    "under llama",
    arguments: [
      ("model.layers.0.self_attn.q_proj.lora_A.weight", "merge the adapter first"),
      ("model.layers.1.self_attn.q_proj.base_layer.weight", "merge the adapter first"),
      ("model.layers.0.self_attn.q_norm.weight", "use the config.json of the same model"),
      ("model.layers.0.self_attn.q_proj.bias", "set attention_bias or mlp_bias in config.json"),
      ("model.layers.0.self_attn.o_proj.bias", "set attention_bias"),
      ("model.layers.0.mlp.down_proj.bias", "set attention_bias"),
      ("model.layers.0.input_layernorm.bias", "set attention_bias"), ("lm_head.bias", "set attention_bias"),
      ("model.norm.bias", "set attention_bias"),
      ("model.embed_positions.weight", "use the config.json of the same model"),
      ("model.layers.0.block_sparse_moe.gate.weight", "use the config.json"),
      ("mtp.layers.0.x.weight", "use the config.json"),
      ("v_head.summary.weight", "use the config.json"), ("anything", "use the config.json"),
      ("model.layers.0.self_attn.q_proj.weight_scale_inv", "use the config.json"),
      ("score.weight", "use the config.json"),
      ("model.position_ids", "use the config.json"),
      ("model.vision_tower.embeddings.class_embedding", "use the config.json"),
    ])
  func llama(name: String, remedy: String) throws {
    let error = try refusal("tiny-llama", adding: .weights(name, [4]))
    #expect(error?.code == .refused, "\(name): \(error?.description ?? "taken")")
    #expect(error?.reason == "has 1 tensor that would not be used: \"\(name)\"")
    #expect(error?.remedy?.contains(remedy) == true, "\(error?.remedy ?? "")")
    // Whatever its dtype.
    let integers = TestTensor(name, "I64", [1], bytes: [UInt8](repeating: 0, count: 8))
    #expect(try refusal("tiny-llama", adding: integers)?.reason == error?.reason)
  }

  @Test("under qwen2, whose class has biases of its own") func qwen2() throws {
    #expect(try refusal("tiny-qwen2", adding: .weights("model.layers.0.self_attn.o_proj.bias", [4])) != nil)
    #expect(
      try refusal("tiny-qwen2", adding: .weights("model.layers.0.mlp.up_proj.bias", [4])) {
        $0.setting("mlp_bias", to: .bool(true))
      }
        != nil)
    #expect(try refusal("tiny-qwen2", adding: .weights("model.layers.0.self_attn.k_norm.weight", [4])) != nil)
  }

  @Test("a bias that the config calls for is required") func called() throws {
    for key in ["attention_bias", "mlp_bias"] {
      let folder = try TestFolder()
      let error = #expect(throws: VPatchError.self) {
        try model(folder, "tiny-llama") { $0.setting(key, to: .bool(true)) }
      }
      #expect(error?.description.contains("lacks the tensor language_model.layers.0.") == true)
      #expect(error?.description.contains(".bias, which its config.json requires") == true)
    }
  }

  @Test("old files' buffers are passed over, as transformers does") func buffers() throws {
    for name in ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq"] {
      #expect(try refusal("tiny-llama", adding: .weights(name, [4])) == nil)
    }
    let ids = TestTensor("vision_tower.embeddings.position_ids", "I64", [1], bytes: [UInt8](repeating: 0, count: 8))
    #expect(try refusal("tiny-llava-next", adding: ids) == nil)
  }

  @Test(
    "in a tower, a projector, beside them",
    arguments: [
      ("tiny-llava-next", "vision_tower.encoder.layers.0.self_attn.q_proj.lora_B.weight"),
      ("tiny-llava-next", "vision_tower.encoder.layers.0.self_attn.q_norm.weight"),
      ("tiny-llava-next", "vision_tower.head.probe"), ("tiny-llava-next", "multi_modal_projector.linear_3.weight"),
      ("tiny-llava-next", "vision_resampler.query"),
      ("tiny-llava-onevision", "vision_tower.embeddings.class_embedding"),
      ("tiny-llava-onevision", "multi_modal_projector.layer_norm.weight"),
      ("tiny-qwen2.5-vl", "visual.blocks.0.attn.qkv.lora_A.weight"), ("tiny-qwen2.5-vl", "visual.pos_embed.weight"),
      ("tiny-qwen2.5-vl", "visual.merger.norm.weight"), ("tiny-qwen2.5-vl", "visual.blocks.0.norm1.bias"),
      ("tiny-qwen2.5-vl", "visual.rotary_pos_emb.inv_freq"),
    ])
  func vision(model: String, name: String) throws {
    let error = try refusal(model, adding: .weights(name, [4]))
    #expect(error?.reason.contains("would not be used: \"\(name)\"") == true, "\(error?.description ?? "taken")")
  }

  @Test("a tensor that is there under two names") func twice() throws {
    let error = try refusal("tiny-llava-next", adding: .weights("vision_tower.vision_model.pre_layrnorm.weight", [4]))
    #expect(error?.reason.contains("vision_tower") == true, "\(error?.description ?? "taken")")
    #expect(error?.remedy == "the file has the same tensor under two names: remove one of them")
  }

  @Test("many are counted, some named") func many() throws {
    let folder = try TestFolder()
    let extra = (0..<9).map { TestTensor.weights("extra.\($0)", [2]) }
    let error = #expect(throws: VPatchError.self) { try model(folder, "tiny-llama", adding: extra) }
    #expect(error?.reason.hasPrefix("has 9 tensors that would not be used: \"extra.0\"") == true)
    #expect(error?.reason.hasSuffix("\"extra.4\", …") == true)
  }
}
