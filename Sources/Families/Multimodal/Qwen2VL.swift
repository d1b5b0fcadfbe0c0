import Base

/// Qwen2.5-VL.
extension MultimodalFamily {
  static let qwenVLs = [
    MultimodalFamily(
      "qwen2_5_vl", decoder: .always(.qwen2), tokenizer: .named(otherwise: .qwen2), normEpsilon: 1e-5, ropeTheta: 1e6,
      vision: { try VisionConfig(qwen: $0, textHidden: $1) })
  ]
}

extension VisionConfig {
  fileprivate init(qwen keys: Keys, textHidden: Int) throws {
    path = keys.path
    self.textHidden = textHidden
    let vision = Keys(keys.reader.optional("vision_config") ?? .object([]), keys.path)
    // transformers uses 3584 for a missing hidden size, but no such model exists. Here it is an error.
    let hidden = try vision.positive("hidden_size")
    let (patch, merge) = (
      try vision.positive(["patch_size", "spatial_patch_size"], 14, most: Keys.mostOfPatch),
      try vision.positive("spatial_merge_size", 2, most: Keys.mostOfPatch)
    )
    let window = try vision.positive("window_size", 112)
    let full = "fullatt_block_indexes"
    guard
      let fullLayers = vision.reader.isPresent(full)
        ? vision.reader.optional(full)?.array?.map(\.int) : [7, 15, 23, 31],
      !fullLayers.contains(where: { $0 == nil })
    else { throw vision.missing(full) }
    let windows = Windows(side: window / merge / patch, fullLayers: Set(fullLayers.compactMap(\.self)))
    tower = Tower(
      family: .qwen, hiddenSize: hidden, intermediateSize: try vision.positive("intermediate_size", 3420),
      layers: try vision.positive("depth", 32), heads: try vision.positive(["num_heads", "num_attention_heads"], 16),
      channels: try vision.positive(["in_channels", "in_chans"], 3), patchSize: patch,
      frames: try vision.positive("temporal_patch_size", 2, most: Keys.mostOfPatch), imageSize: 0,
      activation: try vision.activation("hidden_act", .silu), normEpsilon: 1e-6,
      windows: windows)
    guard tower.activation == .silu else {
      throw vision.refused("hidden_act", tower.activation.rawValue, known: "silu")
    }
    guard windows.side > 0 else {
      throw vision.wrong("windows of \(window) pixels, smaller than a merged patch")
    }
    let theta = vision.reader.optional("rope_parameters")?["rope_theta"]?.double ?? 10_000
    guard theta == 10_000 else { throw vision.refused("rope_theta", "\(theta)", known: "10000") }
    let width = try vision.positive("out_hidden_size", 3584)
    guard width == textHidden else {
      throw vision.wrong("an out_hidden_size of \(width) for a language model of width \(textHidden)")
    }
    featureLayers = [tower.layers]
    dropsFirst = false
    projector = .merger(side: merge)
    packing = .plain
    imageToken = try keys.token(["image_token_id", "image_token_index"], 151_655)
  }
}
