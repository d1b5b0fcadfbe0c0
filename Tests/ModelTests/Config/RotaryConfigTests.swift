import Base
import Families
import Testing

@testable import Model

@Suite("Configs of rotary embeddings") struct RotaryConfigTests {
  /// A config with heads of 16 numbers.
  private static func config(_ type: String, _ members: String) throws -> ModelConfig {
    let text = """
      {"model_type": "\(type)", "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
       "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, \(members)}
      """
    return try ModelConfig(JSON.parse(Array(text.utf8)), generation: nil, path: "config.json")
  }

  private static func list(_ count: Int, _ value: String = "1.5") -> String {
    "[" + [String](repeating: value, count: count).joined(separator: ", ") + "]"
  }

  private static func longrope(_ short: String, _ long: String, type: String = "longrope", more: String = "") -> String
  {
    #""rope_scaling": {"type": "\#(type)", "short_factor": \#(short), "long_factor": \#(long)\#(more)}"#
  }

  private static func parts(_ config: ModelConfig) -> RotaryEmbedding.LongRoPE? {
    if case .longrope(let rope) = config.rotary.scaling { rope } else { nil }
  }

  @Test("LongRoPE: names, precedence, attention factor") func longrope() throws {
    for type in ["longrope", "su", "yarn"] {
      let config = try Self.config("phi3", Self.longrope(Self.list(8), Self.list(8, "3"), type: type))
      let rope = try #require(Self.parts(config))
      // The config class's own default has precedence over a value inside of the scaling.
      #expect(rope.originalLength == 4096 && rope.long == [Double](repeating: 3, count: 8))
    }
    let inside = #", "original_max_position_embeddings": 32"#
    let phi = try Self.config(
      "phi3", Self.longrope(Self.list(8), Self.list(8), more: inside) + #", "original_max_position_embeddings": 64"#)
    let rope = try #require(Self.parts(phi))
    #expect(rope.originalLength == 64)
    // √(1 + ln(128 / 64) / ln 64)
    #expect(abs(rope.attentionFactor - 1.0801234497346435) < 1e-12)
    let llama = try Self.config("llama", Self.longrope(Self.list(8), Self.list(8), more: inside))
    let own = try #require(Self.parts(llama))
    #expect(own.originalLength == 32)
    let given = try Self.config(
      "llama", Self.longrope(Self.list(8), Self.list(8), more: inside + #", "attention_factor": 1.25"#))
    #expect(given.rotary.attentionFactor == 1.25)
  }

  @Test("a length is of matter only for dynamic scaling and LongRoPE") func variants() throws {
    let dynamic = try Self.config("llama", #""rope_scaling": {"type": "dynamic", "factor": 2.0}"#).rotary
    #expect([1, 128, 129, 500].map(dynamic.variant) == [0, 0, 129, 500])
    let long = try Self.config(
      "phi3", Self.longrope(Self.list(8), Self.list(8)) + #", "original_max_position_embeddings": 64"#)
    #expect([1, 64, 65, 500].map(long.rotary.variant) == [0, 0, 1, 1])
    for other in [#""rope_scaling": {"type": "linear", "factor": 2.0}"#, #""rope_theta": 500000.0"#] {
      #expect([1, 128, 129, 500].map(try Self.config("llama", other).rotary.variant) == [0, 0, 0, 0])
    }
  }

  @Test("a window that the config does not give is that of the family's config class") func windows() throws {
    for (type, more, window) in [
      ("phi3", "", nil), ("smollm3", #", "use_sliding_window": true"#, nil), ("mistral", "", 4096),
      ("qwen2", #", "use_sliding_window": true, "max_window_layers": 0"#, 4096), ("phi3", #", "sliding_window": 7"#, 7),
    ] as [(String, String, Int?)] {
      #expect(try Self.config(type, #""rope_theta": 1e4"# + more).window == window, "\(type)\(more)")
    }
  }

  @Test("a share of each head is rotated") func partial() throws {
    let config = try Self.config("phi3", #""partial_rotary_factor": 0.75"#)
    #expect(config.rotary.half == 6 && config.activations.rotaryPairs == 6)
    #expect(try Self.config("phi3", #""partial_rotary_factor": 1.0"#).rotary.half == 8)
  }

  @Test("what cannot be is refused by name") func refused() throws {
    for (type, members, words) in [
      ("llama", #""rope_scaling": {"type": "magic"}"#, "unknown rotary embedding \"magic\""),
      ("llama", #""rope_scaling": {"type": "dynamic"}"#, "no usable \"factor\""),
      ("llama", #""rope_scaling": {"type": "dynamic", "factor": 0}"#, "no usable \"factor\""),
      ("llama", #""rope_scaling": {"type": "linear", "factor": -1}"#, "no usable \"factor\""),
      ("llama", Self.longrope(Self.list(7), Self.list(8)), "\"short_factor\" that is not a list of 8"),
      ("llama", Self.longrope(Self.list(8), Self.list(8, "0")), "\"long_factor\" that is not a list of 8"),
      ("llama", #""rope_scaling": {"type": "longrope"}"#, "\"short_factor\" that is not"),
      ("llama", #""partial_rotary_factor": 0.5"#, "not supported in this family"),
      ("phi3", #""partial_rotary_factor": 0"#, "between 0 and 1"),
      ("phi3", #""partial_rotary_factor": 1.5"#, "between 0 and 1"),
      ("phi3", #""partial_rotary_factor": 0.2"#, "pairs need an even number"),
      ("phi3", #""rope_scaling": {"type": "linear", "factor": 2.0}"#, "known are default, longrope"),
      ("phi3", Self.longrope(Self.list(8), Self.list(8)) + #", "original_max_position_embeddings": 0"#, "no usable"),
      ("llama", #""rope_theta": 0"#, "no usable \"rope_theta\""),
      ("mistral", #""sliding_window": 0"#, "no usable \"sliding_window\""),
      ("mistral", #""sliding_window": -4"#, "no usable \"sliding_window\""),
    ] {
      let error = #expect(throws: VPatchError.self) { try Self.config(type, members) }
      #expect(error?.description.contains(words) == true, "\(members): \(error?.description ?? "")")
    }
  }
}
