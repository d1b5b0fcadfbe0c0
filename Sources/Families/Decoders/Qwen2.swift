import Base

/// Qwen2 and Qwen2.5: LLaMA's parts with biases on queries, keys and values, and a sliding window in the upper layers if
/// the config enables it (transformers 5.24, models/qwen2).
extension DecoderFamily {
  static let qwens = [qwen2, qwen3]

  static let qwen2 = DecoderFamily(
    "qwen2", architecture: "Qwen",
    nestedDefaults: [
      "vocab_size": 151_936, "intermediate_size": 22016, "num_key_value_heads": 32, "max_position_embeddings": 32768,
    ], slidingWindow: .ifEnabled, tokenizer: .always(.qwen2), layerKind: upperLayers
  ) { _ in DecoderBiases(queries: true, attentionOutput: false, mlp: false) }

  /// Qwen3: norms of each head's queries and keys, heads of any size, and biases only if the config says so
  /// (models/qwen3).
  private static let qwen3 = DecoderFamily(
    "qwen3",
    nestedDefaults: [
      "vocab_size": 151_936, "intermediate_size": 22016, "num_key_value_heads": 32, "max_position_embeddings": 32768,
      "head_dim": 128,
    ], defaults: ["head_dim": 128], slidingWindow: .ifEnabled, tokenizer: .named(otherwise: .qwen2),
    parts: { _ in
      var parts = DecoderParts()
      parts.queryKeyNorm = .heads
      return parts
    }, layerKind: upperLayers,
    biases: { config in
      let attention = config["attention_bias"]?.bool ?? false
      return DecoderBiases(queries: attention, attentionOutput: attention, mlp: false)
    })

  /// The window is that of the layers from `max_window_layers` on.
  private static let upperLayers: @Sendable (Int, JSON) -> LayerKind = { layer, config in
    LayerKind(isSliding: layer >= config["max_window_layers"]?.int ?? 28, isRotary: true)
  }
}
