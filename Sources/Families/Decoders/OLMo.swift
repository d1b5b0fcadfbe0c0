import Base

/// OLMo 2 (Allen Institute for AI): norms behind attention and MLP instead of before them, and norms of all queries and all
/// keys (transformers 5.24, models/olmo2).
extension DecoderFamily {
  static let olmos = [olmo2]

  private static let olmo2 = DecoderFamily(
    "olmo2",
    nestedDefaults: ["vocab_size": 50304, "intermediate_size": 11008, "max_position_embeddings": 2048],
    normEpsilon: 1e-5, tokenizer: .always(.backend),
    parts: { _ in
      var parts = DecoderParts()
      parts.queryKeyNorm = .whole
      parts.norms = .after
      return parts
    },
    biases: { config in
      let attention = config["attention_bias"]?.bool ?? false
      return DecoderBiases(queries: attention, attentionOutput: attention, mlp: false)
    })
}
