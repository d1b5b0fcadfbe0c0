import Base

extension VisionConfig {
  /// Reads the image part of a `config.json`, as written by transformers or by the model's authors.
  /// - Parameters:
  ///   - json: the config of a vision-language model.
  ///   - textHidden: width of its language model.
  ///   - path: the config file, for messages.
  /// - Throws: `invalid` for what is missing or inconsistent; `refused` for a model that vpatch cannot compute.
  package init(_ json: JSON, textHidden: Int, path: String) throws {
    if json["mm_vision_tower"] != nil {
      self = try Self.original(json, textHidden: textHidden, path: path, towers: Tower.known)
      return
    }
    let keys = Keys(json, path)
    switch json["model_type"]?.string ?? "" {
    case "qwen2_5_vl": try self.init(qwen: keys, textHidden: textHidden)
    case "llava": try self.init(llava: keys, .clip336, featureLayer: -2, strategy: "default", 32_000, textHidden)
    case "llava_next":
      try self.init(llava: keys, .clip336, featureLayer: -2, strategy: "default", 32_000, textHidden)
      packing = .tiles(
        grids: try keys.grids() ?? [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)].map(Grid.init),
        limit: nil)
    case "llava_onevision":
      try self.init(llava: keys, .siglip384, featureLayer: -1, strategy: "full", 151_646, textHidden)
      let sides = Array(stride(from: 384, through: 2304, by: 384))
      let grids = try keys.grids() ?? sides.flatMap { height in sides.map { Grid(height: height, width: $0) } }
      packing = .tiles(grids: grids, limit: try keys.limit(json["vision_aspect_ratio"]?.string ?? "anyres_max_9"))
    case let type:
      throw VPatchError(
        .refused, path, "has the model type \"\(type.printable)\", for which images are not supported",
        remedy: "supported are qwen2_5_vl, llava_onevision, llava_next, llava")
    }
    try check()
  }

  /// A LLaVA model as written by transformers, with the features unchanged.
  /// - Parameters:
  ///   - tower: the tower that transformers assumes if `vision_config` is missing.
  ///   - featureLayer, strategy, token: the defaults of the model's config class.
  private init(
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

  private init(qwen keys: Keys, textHidden: Int) throws {
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

  /// Checks the consistency of the tower and the packing.
  package func check() throws {
    guard tower.channels == 3 else {
      throw VPatchError(
        .refused, path, "has a vision tower for images with \(Format.counted(tower.channels, "channel")), not three",
        remedy: "only RGB images are supported")
    }
    func wrong(_ what: String) -> VPatchError { Keys(.null, path).wrong(what) }
    let sizes = "hidden size \(tower.hiddenSize) and \(tower.heads) heads"
    guard tower.hiddenSize % tower.heads == 0 else {
      throw wrong("a vision tower of \(sizes), which do not divide evenly")
    }
    guard tower.family != .qwen || tower.headSize % 4 == 0 else {
      throw wrong("a vision tower of \(sizes): a head's size has to be a multiple of 4")
    }
    guard tower.family == .qwen || tower.side > 0 else {
      throw wrong("patches of \(tower.patchSize) pixels in images of \(tower.imageSize)")
    }
    if case .tiles = packing, dropsFirst != tower.hasClassToken {
      throw VPatchError(
        .refused, path, "would combine tiles with one token too many or too few in each",
        remedy: "vision_feature_select_strategy is \"default\" for towers with a class token, \"full\" for others")
    }
  }
}

extension VisionConfig.Tower {
  /// openai/clip-vit-large-patch14-336
  static let clip336 = Self(
    family: .clip, hiddenSize: 1024, intermediateSize: 4096, layers: 24, heads: 16, patchSize: 14, imageSize: 336,
    activation: .quickGELU, normEpsilon: 1e-5)
  /// google/siglip-so400m-patch14-384 without its last layer, as used in LLaVA-OneVision.
  static let siglip384 = Self(
    family: .siglip, hiddenSize: 1152, intermediateSize: 4304, layers: 26, heads: 16, patchSize: 14, imageSize: 384,
    activation: .geluTanh, normEpsilon: 1e-6)
  /// The defaults of transformers' config classes.
  private static let clip = Self(
    family: .clip, hiddenSize: 768, intermediateSize: 3072, layers: 12, heads: 12, patchSize: 32, imageSize: 224,
    activation: .quickGELU, normEpsilon: 1e-5)
  private static let siglip = Self(
    family: .siglip, hiddenSize: 768, intermediateSize: 3072, layers: 12, heads: 12, patchSize: 16, imageSize: 224,
    activation: .geluTanh, normEpsilon: 1e-6)
  private static let dinov2 = Self(
    family: .dinov2, hiddenSize: 768, intermediateSize: 3072, layers: 12, heads: 12, patchSize: 14, imageSize: 224,
    activation: .gelu, normEpsilon: 1e-6)

  /// Reads a `vision_config`. Without a model type, transformers assumes a tower like `assumed` and takes defaults from
  /// that class.
  package init(_ keys: VisionConfig.Keys, assumed: Self) throws {
    let type = keys.reader.optional("model_type")?.string ?? assumed.family.rawValue
    let standard: Self
    switch type {
    case "clip_vision_model": standard = .clip
    case "siglip_vision_model": standard = .siglip
    case "dinov2": standard = .dinov2
    default:
      throw VPatchError(
        .refused, keys.path, "has the unknown vision tower type \"\(type.printable)\"",
        remedy: "known are clip_vision_model, siglip_vision_model, dinov2 and that of qwen2_5_vl")
    }
    self = standard
    hiddenSize = try keys.positive("hidden_size", standard.hiddenSize)
    layers = try keys.positive("num_hidden_layers", standard.layers)
    heads = try keys.positive("num_attention_heads", standard.heads)
    channels = try keys.positive("num_channels", 3)
    patchSize = try keys.positive("patch_size", standard.patchSize, most: VisionConfig.Keys.mostOfPatch)
    imageSize = try keys.positive("image_size", standard.imageSize)
    activation = try keys.activation("hidden_act", standard.activation)
    let epsilon = keys.reader.optional("layer_norm_eps")?.double ?? Double(standard.normEpsilon)
    guard Float(epsilon).isFinite, epsilon >= 0 else { throw keys.missing("layer_norm_eps") }
    normEpsilon = Float(epsilon)
    guard family == .dinov2 else {
      intermediateSize = try keys.positive("intermediate_size", standard.intermediateSize)
      return
    }
    intermediateSize = hiddenSize * (try keys.positive("mlp_ratio", 4))
    if keys.reader.optional("use_swiglu_ffn")?.bool ?? false {
      throw VPatchError(
        .refused, keys.path, "has a DINOv2 tower with SwiGLU (use_swiglu_ffn), which is not supported",
        remedy: "the small, base and large DINOv2 are supported")
    }
    if keys.reader.optional("qkv_bias")?.bool == false {
      throw VPatchError(
        .refused, keys.path, "has a DINOv2 tower without qkv_bias, which is not supported",
        remedy: "the small, base and large DINOv2 have it")
    }
  }
}
