import Base

/// LLaMA (Meta), and the families that have its parts: RMSNorm before attention and MLP, rotary embeddings, a gated MLP
/// with SiLU. The config decides about biases (transformers 5.24, models/llama).
extension DecoderFamily {
  static let llamas = [llama, seedOSS, smolLM3]

  private static let llama = DecoderFamily(
    "llama", architecture: "Llama",
    nestedDefaults: ["vocab_size": 32000, "intermediate_size": 11008, "max_position_embeddings": 2048],
    tokenizer: .named(otherwise: .backend)
  ) { config in
    let attention = config["attention_bias"]?.bool ?? false
    return DecoderBiases(
      queries: attention, attentionOutput: attention, mlp: config["mlp_bias"]?.bool ?? false)
  }

  /// Seed-OSS (ByteDance): biases on queries, keys and values, and dropout, which is off here (models/seed_oss).
  private static let seedOSS = DecoderFamily(
    "seed_oss",
    defaults: ["head_dim": 128, "num_key_value_heads": 8, "max_position_embeddings": 524_288],
    tokenizer: .named(otherwise: .backend),
    configKinds: ["attention_out_bias": .flag, "residual_dropout": .number]
  ) { config in
    DecoderBiases(
      queries: config["attention_bias"]?.bool ?? true,
      attentionOutput: config["attention_out_bias"]?.bool ?? false, mlp: config["mlp_bias"]?.bool ?? false)
  }

  /// SmolLM3 (Hugging Face): every fourth layer has no rotary embedding (models/smollm3).
  private static let smolLM3 = DecoderFamily(
    "smollm3",
    nestedDefaults: [
      "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
      "num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 32768,
    ], defaults: ["num_key_value_heads": 4, "max_position_embeddings": 32768], slidingWindow: .ifEnabled,
    standardWindow: nil,
    ropeTheta: 2e6, isTied: true, tokenizer: .named(otherwise: .backend),
    configKinds: ["no_rope_layer_interval": .integer, "no_rope_layers": [.list, .null]],
    layerKind: { layer, config in
      let isRotary = (layer + 1) % max(config["no_rope_layer_interval"]?.int ?? 4, 1) != 0
      return LayerKind(isSliding: !isRotary, isRotary: isRotary)
    },
    biases: { config in
      let attention = config["attention_bias"]?.bool ?? false
      return DecoderBiases(
        queries: attention, attentionOutput: attention, mlp: config["mlp_bias"]?.bool ?? false)
    })
}
