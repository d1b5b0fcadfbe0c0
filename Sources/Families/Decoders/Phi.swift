import Base

/// Phi-3 (Microsoft): LLaMA's parts with one tensor for queries, keys and values, and one for gate and up
/// (transformers 5.24, models/phi3).
extension DecoderFamily {
  static let phis = [phi3]

  private static let phi3 = DecoderFamily(
    "phi3",
    nestedDefaults: [
      "vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192, "max_position_embeddings": 4096,
    ], defaults: ["max_position_embeddings": 4096], slidingWindow: .always, standardWindow: nil, normEpsilon: 1e-5,
    tokenizer: .always(.backend),
    configKinds: ["resid_pdrop": .number, "embd_pdrop": .number, "original_max_position_embeddings": .integer],
    rotary: {
      var rules = RotaryRules()
      rules.known = ["default", "longrope"]
      rules.renamed = ["su": "longrope", "yarn": "longrope"]
      rules.canBePartial = true
      rules.originalLength = 4096
      return rules
    }(),
    parts: { _ in
      var parts = DecoderParts()
      parts.isFused = true
      return parts
    },
    biases: { _ in DecoderBiases(queries: false, attentionOutput: false, mlp: false) })
}
