import Base

/// A family of decoders: its `model_type`, what its config class assumes, and which parts its layers have.
///
/// A family whose parts exist is an entry in one of the files beside this one: that of the family whose parts it has.
package struct DecoderFamily: Sendable {
  /// `model_type` in config.json.
  package let modelType: String
  /// Its name in the architectures of LLaVA's authors, such as "Qwen" in LlavaQwenForCausalLM; nil if it has none.
  let architecture: String?
  /// Defaults of transformers' config class, for members that a config omits in its `text_config`.
  let nestedDefaults: [String: Int]
  /// Defaults of transformers' config class, for members that a config of the family itself omits. Those that every
  /// config must have are not among them.
  let defaults: [String: Int]
  let biases: @Sendable (_ config: JSON) -> DecoderBiases
  let slidingWindow: SlidingWindow
  /// Default of `sliding_window`; nil: no window.
  let standardWindow: Int?
  /// Default of `rope_theta`.
  let ropeTheta: Double
  /// Default of `rms_norm_eps`.
  let normEpsilon: Double
  /// Whether the head is tied to the embedding if the config does not say.
  let isTied: Bool
  /// The parts of its layers.
  let readParts: @Sendable (_ config: JSON) -> DecoderParts
  /// Whether a layer has a window or a rotary embedding, if the config has no list of them.
  let layerKind: @Sendable (_ layer: Int, _ config: JSON) -> LayerKind
  /// Whether the layers with a window have a rotary embedding of their own.
  let hasSlidingRotary: Bool
  /// What its configs may say of rotary embeddings.
  let rotaryRules: RotaryRules
  /// Members of a config, besides those of all families, with their kinds of values (`ConfigTypes`).
  let configKinds: [String: ConfigKinds]
  /// The rules of its tokenizers.
  package let tokenizer: TokenizerChoice

  /// When a token sees only some of those before it.
  package enum SlidingWindow: Sendable {
    case never
    /// Unless `sliding_window` is null.
    case always
    /// If `use_sliding_window` is true.
    case ifEnabled
  }

  /// Layers that are all alike: each has the window, if there is one, and rotates.
  static let sameKind: @Sendable (Int, JSON) -> LayerKind = { _, _ in LayerKind(isSliding: true, isRotary: true) }

  init(
    _ modelType: String, architecture: String? = nil, nestedDefaults: [String: Int] = [:],
    defaults: [String: Int] = [:], slidingWindow: SlidingWindow = .never,
    standardWindow: Int? = 4096, ropeTheta: Double = 1e4,
    normEpsilon: Double = 1e-6, isTied: Bool = false, tokenizer: TokenizerChoice,
    configKinds: [String: ConfigKinds] = [:], hasSlidingRotary: Bool = false,
    rotary rotaryRules: RotaryRules = RotaryRules(),
    parts: @escaping @Sendable (_ config: JSON) -> DecoderParts = { _ in DecoderParts() },
    layerKind: @escaping @Sendable (_ layer: Int, _ config: JSON) -> LayerKind = DecoderFamily.sameKind,
    biases: @escaping @Sendable (_ config: JSON) -> DecoderBiases
  ) {
    self.modelType = modelType
    self.architecture = architecture
    let shared = ["hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32]
    self.nestedDefaults = shared.merging(nestedDefaults) { $1 }
    self.defaults = defaults
    self.slidingWindow = slidingWindow
    self.standardWindow = standardWindow
    self.tokenizer = tokenizer
    self.configKinds = configKinds
    self.biases = biases
    (self.ropeTheta, self.normEpsilon, self.isTied) = (ropeTheta, normEpsilon, isTied)
    (readParts, self.layerKind, self.hasSlidingRotary) = (parts, layerKind, hasSlidingRotary)
    self.rotaryRules = rotaryRules
  }

  /// All that can be computed.
  package static let all = llamas + mistrals + qwens + gemmas + olmos + phis

  package static func named(_ modelType: String) -> DecoderFamily? { all.first { $0.modelType == modelType } }
}

extension DecoderFamily: Equatable {
  package static func == (a: DecoderFamily, b: DecoderFamily) -> Bool { a.modelType == b.modelType }
}
