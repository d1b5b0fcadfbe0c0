import Base

/// LLaVA, LLaVA-NeXT and LLaVA-OneVision: as transformers saves them, and as their authors do (liuhaotian, lmms-lab).
extension MultimodalFamily {
  static let llavas =
    [
      MultimodalFamily(
        "llava", decoder: .textConfig, tokenizer: .always(.backend),
        vision: { try VisionConfig(llava: $0, .clip336, featureLayer: -2, strategy: "default", 32_000, $1) }),
      // LlavaNextForConditionalGeneration alone does not read the text config's tie_word_embeddings.
      MultimodalFamily(
        "llava_next", decoder: .textConfig, tokenizer: .always(.backend), tiesByTextConfig: false,
        vision: VisionConfig.llavaNext),
      MultimodalFamily(
        "llava_onevision", decoder: .textConfig, tokenizer: .named(otherwise: .backend),
        vision: VisionConfig.llavaOneVision),
    ]
    // Model types that transformers does not know: it treats their tokenizers like those of a folder without config.json.
    // `VisionConfig.original` reads their images' part.
    + ["llava_llama", "llava_mistral", "llava_qwen"].map {
      MultimodalFamily($0, decoder: .architecture, tokenizer: .named(otherwise: .backend))
    }
}

extension VisionConfig {
  fileprivate static func llavaNext(_ keys: Keys, textHidden: Int) throws -> VisionConfig {
    var config = try VisionConfig(llava: keys, .clip336, featureLayer: -2, strategy: "default", 32_000, textHidden)
    config.packing = .tiles(
      grids: try keys.grids() ?? [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)].map(Grid.init),
      limit: nil)
    return config
  }

  fileprivate static func llavaOneVision(_ keys: Keys, textHidden: Int) throws -> VisionConfig {
    var config = try VisionConfig(llava: keys, .siglip384, featureLayer: -1, strategy: "full", 151_646, textHidden)
    let sides = Array(stride(from: 384, through: 2304, by: 384))
    let grids = try keys.grids() ?? sides.flatMap { height in sides.map { Grid(height: height, width: $0) } }
    let aspect = keys.reader.optional("vision_aspect_ratio")?.string ?? "anyres_max_9"
    config.packing = .tiles(grids: grids, limit: try keys.limit(aspect))
    return config
  }

  /// A LLaVA model as written by transformers, with the features unchanged.
  /// - Parameters:
  ///   - tower: the tower that transformers assumes if `vision_config` is missing.
  ///   - featureLayer, strategy, token: the defaults of the model's config class.
  fileprivate init(
    llava keys: Keys, _ tower: Tower, featureLayer: Int, strategy: String, _ token: Int, _ textHidden: Int
  ) throws {
    path = keys.path
    self.textHidden = textHidden
    if let vision = keys.reader.optional("vision_config"), vision.object != nil {
      self.tower = try Tower(Keys(vision, path), assumed: tower)
    } else {
      self.tower = tower
    }
    featureLayers = try keys.layers("vision_feature_layer", featureLayer, of: self.tower)
    switch keys.reader.optional("vision_feature_select_strategy")?.string ?? strategy {
    case "default": dropsFirst = true
    case "full": dropsFirst = false
    case let other: throw keys.refused("vision_feature_select_strategy", other, known: "default, full")
    }
    projector = .mlp(
      try keys.activation("projector_hidden_act", .gelu),
      hasBias: keys.reader.optional("multimodal_projector_bias")?.bool ?? true)
    packing = .plain
    imageToken = try keys.token(["image_token_index", "image_token_id"], token)
  }
}
