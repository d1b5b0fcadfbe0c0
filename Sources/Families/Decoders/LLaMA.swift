/// LLaMA (Meta), and the families that have its parts: RMSNorm before attention and MLP, rotary embeddings, a gated MLP
/// with SiLU. The config decides about biases (transformers 5.24, models/llama).
extension DecoderFamily {
  static let llamas = [llama]

  private static let llama = DecoderFamily(
    "llama", architecture: "Llama",
    nestedDefaults: ["vocab_size": 32000, "intermediate_size": 11008, "max_position_embeddings": 2048],
    tokenizer: .named(otherwise: .backend)
  ) { config in
    let attention = config["attention_bias"]?.bool ?? false
    return DecoderBiases(
      queries: attention, attentionOutput: attention, mlp: config["mlp_bias"]?.bool ?? false)
  }
}
