/// Mistral: LLaMA's parts without biases, with a sliding window (transformers 5.24, models/mistral).
extension DecoderFamily {
  static let mistrals = [mistral]

  private static let mistral = DecoderFamily(
    "mistral", architecture: "Mistral",
    nestedDefaults: [
      "vocab_size": 32000, "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131_072,
    ], slidingWindow: .always, tokenizer: .always(.backend)
  ) { _ in DecoderBiases(queries: false, attentionOutput: false, mlp: false) }
}
