/// LLaMA (Meta), and the families that have its parts: RMSNorm before attention and MLP, rotary embeddings, a gated MLP
/// with SiLU. The config decides about biases (transformers 5.24, models/llama).
extension DecoderFamily {
  static let llamas = [llama, seedOSS]

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
}
