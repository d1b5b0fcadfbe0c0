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

  init(
    _ modelType: String, architecture: String? = nil, nestedDefaults: [String: Int] = [:],
    defaults: [String: Int] = [:], slidingWindow: SlidingWindow = .never, tokenizer: TokenizerChoice,
    configKinds: [String: ConfigKinds] = [:], biases: @escaping @Sendable (_ config: JSON) -> DecoderBiases
  ) {
    self.modelType = modelType
    self.architecture = architecture
    let shared = ["hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32]
    self.nestedDefaults = shared.merging(nestedDefaults) { $1 }
    self.defaults = defaults
    self.slidingWindow = slidingWindow
    self.tokenizer = tokenizer
    self.configKinds = configKinds
    self.biases = biases
  }

  /// All that can be computed.
  package static let all = llamas + mistrals + qwens

  package static func named(_ modelType: String) -> DecoderFamily? { all.first { $0.modelType == modelType } }
}

extension DecoderFamily: Equatable {
  package static func == (a: DecoderFamily, b: DecoderFamily) -> Bool { a.modelType == b.modelType }
}

extension DecoderFamily.SlidingWindow {
  /// The window of a config in tokens; nil for full attention.
  /// - Throws: `invalid` for a window that is not a positive number, or layers that contradict the rest.
  func size(in config: JSON, _ path: String) throws -> Int? {
    switch self {
    case .never: return nil
    case .always: break
    case .ifEnabled:
      guard config["use_sliding_window"]?.bool ?? false else {
        guard config["layer_types"]?.array?.contains(.string("sliding_attention")) ?? false else { return nil }
        throw VPatchError(
          .invalid, path, "has layers of the type sliding_attention, and use_sliding_window is not true",
          remedy: "use the original config.json of the model")
      }
    }
    // The default of transformers' config classes that have a window.
    guard let value = config["sliding_window"] else { return 4096 }
    guard value != .null else { return nil }
    guard let window = value.int, window > 0 else {
      throw VPatchError(.invalid, path, "has no usable \"sliding_window\"")
    }
    return window
  }
}
