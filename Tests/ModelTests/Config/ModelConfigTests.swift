import Base
import Checkpoints
import TestModels
import Testing

@testable import Families
@testable import Model

@Suite("A model's config") struct ModelConfigTests {
  static let llama = """
    {"model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
     "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": [2, 3], "rope_theta": 500000.0}
    """

  static func config(_ text: String) throws -> ModelConfig {
    try ModelConfig(JSON.parse(Array(text.utf8)), generation: nil, path: "config.json")
  }

  static func changed(_ key: String, _ value: String) throws -> ModelConfig {
    let json = try JSON.parse(Array(llama.utf8)).setting(key, to: JSON.parse(Array(value.utf8)))
    return try ModelConfig(json, generation: nil, path: "config.json")
  }

  @Test("what is left out has the standard of its family") func standards() throws {
    let config = try Self.config(Self.llama)
    #expect(config.headSize == 4 && config.normEpsilon == 1e-6 && !config.isTied && config.endTokens == [2, 3])
    #expect(config.rotary.theta == 500_000 && config.rotary.scaling == .none && config.window == nil)
  }

  @Test(
    "what is not known is refused by name",
    arguments: [
      (
        "model_type", "\"gpt2\"",
        "has the unknown model type \"gpt2\"; known are llama, seed_oss, smollm3, mistral, qwen2"
      ),
      ("hidden_act", "\"gelu\"", "has the activation \"gelu\""),
      ("num_key_value_heads", "3", "which is no multiple of its 3 key-value heads"),
      ("head_dim", "5", "odd head_dim"), ("vocab_size", "-1", "no usable \"vocab_size\""),
      ("hidden_size", "null", "\"hidden_size\": null, which is not a whole number"),
      ("hidden_size", "1e99", "\"hidden_size\": 1e99, which is not a whole number"),
      ("rope_scaling", "{\"type\": \"magic\", \"factor\": 4.0}", "the unknown rotary embedding \"magic\""),
      ("rope_scaling", "{\"type\": \"yarn\", \"factor\": -4.0}", "no usable \"factor\""),
      ("final_logit_softcapping", "30.0", "has final_logit_softcapping"),
      ("rope_scaling", "{\"type\": \"linear\"}", "no usable \"factor\""),
      (
        "rope_scaling", "{\"type\": \"mrope\", \"mrope_section\": [1, 9223372036854775807, 9223372036854775807]}",
        "\"mrope_section\" that is not three numbers of sum 2"
      ),
      ("partial_rotary_factor", "0.5", "has a partial_rotary_factor other than 1"),
    ])
  func refused(key: String, value: String, expected: String) throws {
    let error = #expect(throws: VPatchError.self) { try Self.changed(key, value) }
    #expect(error!.description.contains(expected), "\(error!)")
  }

  @Test("Llama 3's frequencies: high ones kept, low ones divided, those between blended") func llama3() throws {
    let text = """
      {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
       "original_max_position_embeddings": 8192}
      """
    let json = try JSON.parse(Array(Self.llama.utf8)).setting("rope_scaling", to: JSON.parse(Array(text.utf8)))
      .setting("head_dim", to: JSON(64))
    let scaled = try ModelConfig(json, generation: nil, path: "config.json").rotary
    var plain = scaled
    plain.scaling = .none
    let ratios = zip(scaled.frequencies(0), plain.frequencies(0)).map { $0 / $1 }
    #expect(ratios.first == 1 && abs(ratios.last! - 1.0 / 8) < 1e-6)
    #expect(zip(ratios, ratios.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(ratios.contains { $0 > 0.13 && $0 < 0.99 })
    // What transformers 5.23 makes of the same numbers (ROPE_INIT_FUNCTIONS["llama3"]), pairs 14 to 19 of 32.
    let expected: [Float] = [0.003211446, 0.0013718937, 0.000524846, 0.00017850779, 7.7846555e-05, 5.165907e-05]
    for (a, b) in zip(scaled.frequencies(0)[14...], expected) { #expect(abs(a - b) < 1e-6 * b) }
  }

  @Test("a sliding window is no limit of a text's length") func window() throws {
    #expect(try Self.changed("sliding_window", "8").window == nil)
    let json = try JSON.parse(Array(Self.llama.utf8)).setting("model_type", to: .string("mistral"))
      .setting("sliding_window", to: JSON(8))
    let config = try ModelConfig(json, generation: nil, path: "config.json")
    #expect(config.window == 8 && config.maximumLength == 2048 && config.layerKinds.allSatisfy(\.isSliding))
  }

  @Test("config and tensors that disagree", arguments: [("num_hidden_layers", "3"), ("intermediate_size", "100")])
  func disagreement(key: String, value: String) throws {
    let tiny = try TinyModel("tiny-llama")
    let folder = try TestFolder()
    let config = try InputFile.contents(of: tiny.folder + "/config.json", limit: 1 << 20)
    try folder.write("config.json", JSON.parse(config).setting(key, to: JSON.parse(Array(value.utf8))).pretty())
    try folder.write(
      "model.safetensors", try InputFile.contents(of: tiny.folder + "/model.safetensors", limit: 1 << 24))
    let error = #expect(throws: VPatchError.self) {
      try LanguageModel(.init(SafetensorsCheckpoint(path: folder.path)), compute: Compute(threads: 1))
    }
    #expect(error!.description.contains("use the config.json of the same model"))
  }
}
