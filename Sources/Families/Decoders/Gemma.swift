import Base

/// Gemma 3 (Google), the text model: norms before and behind attention and MLP, whose weights are offsets from 1; norms of
/// queries and keys; a window in five of six layers, which have a rotary embedding of their own; scaled embeddings
/// (transformers 5.24, models/gemma3).
extension DecoderFamily {
  static let gemmas = [gemma3]

  private static let gemma3 = DecoderFamily(
    "gemma3_text",
    nestedDefaults: [
      "vocab_size": 262_208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131_072,
    ], defaults: ["head_dim": 256, "num_key_value_heads": 4], slidingWindow: .always, ropeTheta: 1e6, isTied: true,
    tokenizer: .named(otherwise: .gemma),
    configKinds: [
      "query_pre_attn_scalar": .number, "attn_logit_softcapping": [.number, .null],
      "final_logit_softcapping": [.number, .null], "rope_local_base_freq": .number,
      "sliding_window_pattern": .integer, "use_bidirectional_attention": [.flag, .null],
    ], hasSlidingRotary: true,
    parts: { config in
      var parts = DecoderParts()
      parts.queryKeyNorm = .heads
      parts.norms = .both
      parts.normOffset = 1
      parts.activation = .geluTanh
      parts.embeddingScale = Float(config["hidden_size"]?.int ?? 2304).squareRoot()
      parts.attentionScale = 1 / Float(config["query_pre_attn_scalar"]?.double ?? 256).squareRoot()
      return parts
    },
    layerKind: { layer, config in
      LayerKind(isSliding: (layer + 1) % max(config["sliding_window_pattern"]?.int ?? 6, 1) != 0, isRotary: true)
    },
    biases: { config in
      let attention = config["attention_bias"]?.bool ?? false
      return DecoderBiases(queries: attention, attentionOutput: attention, mlp: false)
    })
}
