/// A family of vision-language models: which decoder it has, and where its config differs from the decoder's.
package struct MultimodalFamily: Sendable {
  /// `model_type` in config.json.
  package let modelType: String
  let decoder: Decoder
  package let tokenizer: TokenizerChoice
  /// Defaults of its text config's class, where they are not those of all decoders (`ModelConfig.defaultNormEpsilon`,
  /// `RotaryEmbedding.defaultTheta`).
  let normEpsilon: Double?
  let ropeTheta: Double?
  /// Whether `tie_word_embeddings` in the text config counts (transformers 5.24).
  let tiesByTextConfig: Bool
  /// Reads the image part of its config; nil for the layout of LLaVA's authors (`VisionConfig.original`).
  let vision: VisionReader?

  /// - Throws: `invalid` for what is missing or inconsistent; `refused` for a model that vpatch cannot compute.
  typealias VisionReader = @Sendable (_ keys: VisionConfig.Keys, _ textHidden: Int) throws -> VisionConfig

  /// Where a config names the decoder.
  enum Decoder: Sendable {
    case always(DecoderFamily)
    /// `model_type` in `text_config`; a config without one names it in its architecture.
    case textConfig
    /// The name of the architecture, as LLaVA's authors save models.
    case architecture
  }

  init(
    _ modelType: String, decoder: Decoder, tokenizer: TokenizerChoice, normEpsilon: Double? = nil,
    ropeTheta: Double? = nil, tiesByTextConfig: Bool = true, vision: VisionReader? = nil
  ) {
    self.modelType = modelType
    self.decoder = decoder
    self.tokenizer = tokenizer
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.tiesByTextConfig = tiesByTextConfig
    self.vision = vision
  }

  /// All that can be computed.
  package static let all = llavas + qwenVLs

  package static func named(_ modelType: String) -> MultimodalFamily? { all.first { $0.modelType == modelType } }
}
