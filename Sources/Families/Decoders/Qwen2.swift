/// Qwen2 and Qwen2.5: LLaMA's parts with biases on queries, keys and values, and a sliding window if the config enables
/// it (transformers 5.24, models/qwen2).
extension DecoderFamily {
  static let qwens = [qwen2]

  static let qwen2 = DecoderFamily(
    "qwen2", architecture: "Qwen",
    nestedDefaults: [
      "vocab_size": 151_936, "intermediate_size": 22016, "num_key_value_heads": 32, "max_position_embeddings": 32768,
    ], slidingWindow: .ifEnabled, tokenizer: .always(.qwen2)
  ) { _ in DecoderBiases(queries: true, attentionOutput: false, mlp: false) }
}
