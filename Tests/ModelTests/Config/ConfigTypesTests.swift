import Base
import Foundation
import Testing

@testable import Families

/// Of which kind members of a config.json may be, beside transformers' own classes (fixtures/config-types.json).
@Suite("Kinds of values in a config") struct ConfigTypesTests {
  private static let path =
    URL(filePath: #filePath).deletingLastPathComponent().path + "/../../../fixtures/config-types.json"

  /// A value of each kind, under the letter that the fixture has for it.
  private static let values: [(Character, JSON)] = [
    ("i", JSON(4)), ("f", .number("4.5")), ("b", .bool(true)), ("s", .string("4")), ("n", .null),
    ("l", .array([JSON(4), JSON(4)])), ("o", .object([])),
  ]

  private static func classes() throws -> [JSON.Member] {
    try #require(JSON.parse(InputFile.contents(of: path, limit: 1 << 20))["classes"]?.object)
  }

  @Test("each member of each class: what transformers refuses is refused, what it takes is taken") func table() throws {
    var count = 0
    for entry in try Self.classes() {
      for member in try #require(entry.value.object) {
        let accepted = try #require(member.value.string)
        let kinds = try #require(ConfigTypes.members[member.key], "\(entry.key) has \(member.key)")
        for (letter, value) in Self.values {
          count += 1
          // One is 1.0; and one class refuses the null that another takes for the standard, which is what null is here.
          let isSpared = letter == "i" && accepted.contains("f") || letter == "n" && kinds.contains(.null)
          #expect(
            kinds.holds(value) == accepted.contains(letter) || isSpared, "\(entry.key).\(member.key) of kind \(letter)")
        }
      }
    }
    #expect(count > 800)
  }

  private static let llama = ModelConfigTests.llama

  /// Every way in which a member may lie: in the config, in the language model's part, in the tower's.
  @Test(
    "numbers and truth values in quotes are refused, wherever they stand",
    arguments: ["", "text_config", "vision_config"])
  func quoted(part: String) throws {
    let names = ConfigTypes.members.keys.sorted()
    for name in names {
      for text in ["4", "0.5", "1e-1", "true", ""] {
        var json = try JSON.parse(Array(Self.llama.utf8))
        let inner = JSON.object([JSON.Member(name, .string(text))])
        json = part.isEmpty ? json.setting(name, to: .string(text)) : json.setting(part, to: inner)
        let error = #expect(throws: VPatchError.self) { try ModelConfig(json, generation: nil, path: "config.json") }
        #expect(
          error?.description.hasPrefix("config.json: has \"\(name)\": \"\(text)\", which is not ") == true, "\(error!)")
        #expect(error?.remedy == "write it without quotes; transformers refuses it too")
      }
    }
  }

  @Test("the rotary embedding's numbers too, in either form", arguments: ["rope_scaling", "rope_parameters"])
  func rotary(member: String) throws {
    for name in ConfigTypes.rotary.keys {
      let inner = JSON.object([JSON.Member("rope_type", .string("default")), JSON.Member(name, .string("8"))])
      let json = try JSON.parse(Array(Self.llama.utf8)).setting(member, to: inner)
      let error = #expect(throws: VPatchError.self) { try ModelConfig(json, generation: nil, path: "config.json") }
      #expect(error?.description.contains("has \"\(name)\": \"8\", which is not ") == true)
    }
  }

  @Test(
    "other kinds that were passed over",
    arguments: [
      ("hidden_act", "3", "which is not text"), ("rope_scaling", "\"linear\"", "which is not an object"),
      ("vision_config", "[]", "which is not an object"), ("tie_word_embeddings", "1", "which is not true or false"),
      ("rope_theta", "null", "which is not a number"), ("eos_token_id", "[2, \"3\"]", "which is not a whole number"),
      ("num_hidden_layers", "1.0", "which is not a whole number"), ("rms_norm_eps", "[1e-5]", "which is not a number"),
      ("quantization_config", "{\"bits\": 4}", "quantised models cannot be computed"),
    ])
  func others(key: String, value: String, expected: String) throws {
    let error = #expect(throws: VPatchError.self) { try ModelConfigTests.changed(key, value) }
    #expect(error?.description.contains(expected) == true, "\(error!)")
  }

  @Test("ids that end a text, in generation_config.json") func generation() throws {
    let json = try JSON.parse(Array(Self.llama.utf8))
    for text in [#"{"eos_token_id": "2"}"#, #"{"eos_token_id": [2, null]}"#, #"{"eos_token_id": 2.5}"#] {
      let generation = try JSON.parse(Array(text.utf8))
      let error = #expect(throws: VPatchError.self) {
        try ModelConfig(json, generation: generation, path: "m/config.json")
      }
      #expect(error?.subject == "m/generation_config.json")
    }
    let null = try JSON.parse(Array(#"{"eos_token_id": null}"#.utf8))
    #expect(try ModelConfig(json, generation: null, path: "x").endTokens == [2, 3])
  }

  @Test("standards are those of the family's class") func standards() throws {
    func config(_ type: String, _ more: String = "") throws -> ModelConfig {
      try ModelConfigTests.config(
        ModelConfigTests.llama.replacing("\"llama\"", with: "\"\(type)\"").replacing(
          ", \"rope_theta\": 500000.0", with: more))
    }
    #expect(try config("mistral").window == 4096 && config("mistral", ", \"sliding_window\": null").window == nil)
    #expect(try config("mistral", ", \"use_sliding_window\": false, \"sliding_window\": 9").window == 9)
    #expect(try config("llama", ", \"use_sliding_window\": true, \"sliding_window\": 9").window == nil)
    // The window is that of the layers from max_window_layers on, 28 by default.
    let upper = ", \"use_sliding_window\": true, \"max_window_layers\": 0"
    #expect(try config("qwen2").window == nil && config("qwen2", upper).window == 4096)
    #expect(try config("qwen2", ", \"use_sliding_window\": true").window == nil)
    let sliding = ", \"layer_types\": [\"sliding_attention\"]"
    #expect(throws: VPatchError.self) { try config("qwen2", sliding) }
    #expect(try config("qwen2", sliding + ", \"use_sliding_window\": true, \"sliding_window\": 8").window == 8)
    let qwen = try config("qwen2_5_vl")
    #expect(qwen.normEpsilon == 1e-5 && qwen.rotary.theta == 1e6)
    #expect(try config("qwen2").normEpsilon == 1e-6 && config("qwen2").rotary.theta == 1e4)
    let both =
      ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}, \"rope_parameters\": {\"rope_type\": \"default\"}"
    #expect(throws: VPatchError.self) { try config("llama", both) }
    // LLaVA-NeXT's class alone does not ask the language model whether it is tied.
    let inner = #", "text_config": {"model_type": "llama", "tie_word_embeddings": true}"#
    #expect(try config("llava", inner).isTied && config("llava_onevision", inner).isTied)
    #expect(try !config("llava_next", inner).isTied)
  }
}
