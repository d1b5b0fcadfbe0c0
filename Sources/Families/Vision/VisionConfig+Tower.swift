import Base

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
