import Base

/// What a config says of a decoder's layers.
extension DecoderFamily {
  /// - Throws: `refused` for members that change the computation and are not supported.
  func refuseUnknown(_ config: JSON, _ path: String) throws {
    for key in ["attn_logit_softcapping", "final_logit_softcapping", "logits_scaling", "residual_multiplier"] {
      guard let value = config[key], value != .null else { continue }
      throw VPatchError(.refused, path, "has \(key), which is not supported")
    }
    if config["use_bidirectional_attention"]?.bool ?? false {
      throw VPatchError(
        .refused, path, "has bidirectional attention (use_bidirectional_attention), which is not supported",
        remedy: "give a causal language model")
    }
  }

  /// - Throws: `refused` for an activation that is not supported.
  func parts(_ config: JSON, _ path: String) throws -> DecoderParts {
    var parts = readParts(config)
    let name = config["hidden_activation"]?.string ?? config["hidden_act"]?.string ?? parts.activation.rawValue
    guard let activation = Activation(rawValue: name), [.silu, .geluTanh].contains(activation) else {
      throw VPatchError(
        .refused, path, "has the activation \"\(name.printable)\" in its gated MLP",
        remedy: "supported are silu and gelu_pytorch_tanh")
    }
    parts.activation = activation
    return parts
  }

  /// - Returns: the kind of each layer; the window's size, nil where no layer has one.
  func layerKinds(_ config: JSON, count: Int, _ path: String) throws -> (kinds: [LayerKind], window: Int?) {
    let window = try slidingWindow.size(in: config, standard: standardWindow, path)
    var kinds = (0..<count).map { layerKind($0, config) }
    if let list = config["no_rope_layers"], list != .null {
      guard let values = list.array?.map(\.int), values.count >= count, values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw VPatchError(
          .invalid, path, "has a \"no_rope_layers\" that is not a list of 0 and 1 for its \(count) layers")
      }
      for i in kinds.indices { kinds[i].isRotary = values[i] == 1 }
    }
    if slidingWindow != .never, let list = config["layer_types"], list != .null {
      let names = list.array?.map(\.string) ?? []
      guard names.count == count else {
        throw VPatchError(
          .invalid, path, "has \(names.count) layer_types for \(count) layers",
          remedy: "use the original config.json of the model")
      }
      for (i, name) in names.enumerated() {
        switch name {
        case "full_attention": kinds[i].isSliding = false
        case "sliding_attention": kinds[i].isSliding = true
        default:
          throw VPatchError(
            .refused, path, "has a layer of the type \"\((name ?? "null").printable)\"",
            remedy: "supported are full_attention and sliding_attention")
        }
      }
      if window == nil, kinds.contains(where: \.isSliding) {
        let key = slidingWindow == .ifEnabled ? "use_sliding_window is not true" : "sliding_window is null"
        throw VPatchError(
          .invalid, path, "has layers of the type sliding_attention, and \(key)",
          remedy: "use the original config.json of the model")
      }
    }
    if window == nil { for i in kinds.indices { kinds[i].isSliding = false } }
    return (kinds, kinds.contains(where: \.isSliding) ? window : nil)
  }

  /// The rotary embedding, and that of the layers with a window where it is another one.
  func rotaries(
    _ config: JSON, headSize: Int, standardTheta: Double, maximumLength: Int, _ path: String
  ) throws -> (RotaryEmbedding, RotaryEmbedding?) {
    guard hasSlidingRotary else {
      let rotary = try RotaryEmbedding(
        config, headSize: headSize, standardTheta: standardTheta, maximumLength: maximumLength, rotaryRules, path: path)
      return (rotary, nil)
    }
    // The scaling of an older config is that of the layers without a window.
    let nested = config["rope_parameters"]
    let full = nested?["full_attention"] ?? config["rope_scaling"] ?? .object([])
    let sliding = nested?["sliding_attention"] ?? .object([])
    func embedding(_ parameters: JSON, _ theta: JSON?, _ standard: Double) throws -> RotaryEmbedding {
      let members: JSON = .dictionary(["rope_parameters": parameters == .null ? nil : parameters, "rope_theta": theta])
      return try RotaryEmbedding(
        members, headSize: headSize, standardTheta: standard, maximumLength: maximumLength, rotaryRules, path: path)
    }
    return (
      try embedding(full, config["rope_theta"], standardTheta),
      try embedding(sliding, config["rope_local_base_freq"], 1e4)
    )
  }
}

extension DecoderFamily.SlidingWindow {
  /// The window of a config in tokens; nil for full attention.
  /// - Throws: `invalid` for a window that is not a positive number, or layers that contradict the rest.
  func size(in config: JSON, standard: Int?, _ path: String) throws -> Int? {
    switch self {
    case .never: return nil
    case .always: break
    case .ifEnabled: guard config["use_sliding_window"]?.bool ?? false else { return nil }
    }
    guard let value = config["sliding_window"] else { return standard }
    guard value != .null else { return nil }
    guard let window = value.int, window > 0 else {
      throw VPatchError(.invalid, path, "has no usable \"sliding_window\"")
    }
    return window
  }
}
