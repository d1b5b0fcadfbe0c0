import Base
import Checkpoints

extension ImageProcessor {
  /// Reads the image part of `processor_config.json` in a model's folder, as transformers 5 writes it, or
  /// `preprocessor_config.json`.
  /// - Throws: `invalid` if both are missing, the type is unknown, or a field that the type needs is missing.
  package init(folder: String) throws { try self.init(ModelFolder(folder)) }

  package init(_ folder: ModelFolder) throws {
    let newer = "processor_config.json"
    if let json = try folder.json(newer)?["image_processor"] {
      try self.init(json: json, path: folder.path(of: newer))
      return
    }
    let older = "preprocessor_config.json"
    let path = folder.path(of: older)
    guard let json = try folder.json(older) else {
      throw VPatchError(
        .invalid, path, "is missing; it defines the model's image preprocessing",
        remedy: "copy it from the original model")
    }
    try self.init(json: json, path: path)
  }

  init(json: JSON, path: String) throws {
    let fields = try ConfigFields(json, path: path)
    let type = try fields.type()
    let size: ImageSize? = try type == .patches ? nil : fields.size(isNeeded: type.isTiled || fields.flag("do_resize"))
    let crops = try fields.flag("do_center_crop", default: type.cropsByDefault)
    // LLaVA-OneVision's tiles have the size of its crop, if there is one, although it does not crop.
    let cropSize = try fields.cropSize(isNeeded: crops)
    let layout: Layout =
      switch type {
      case .patches: .patches(try fields.patchRules())
      case .next, .oneVision:
        .tiles(
          TileRules(
            resolutions: try fields.resolutions(), side: cropSize?.height ?? size?.side ?? 0,
            onlyAlone: type == .oneVision))
      case .llava: .single(padsToSquare: try fields.flag("do_pad", default: false))
      case .clip, .siglip: .single(padsToSquare: false)
      }
    try self.init(
      layout: layout, size: size, resizes: fields.flag("do_resize"), crop: crops ? cropSize : nil,
      resample: fields.resample(),
      rescaleFactor: fields.flag("do_rescale") ? fields.number("rescale_factor", default: 1.0 / 255) : nil,
      normalization: fields.flag("do_normalize") ? fields.normalization() : nil,
      laysOverWhite: fields.flag("do_convert_rgb"), subject: path)
  }
}

extension ImageSize {
  /// The height, which transformers uses as the side of tiles.
  fileprivate var side: Int {
    switch self {
    case .exact(let size): size.height
    case .shortestEdge(let edge): edge
    }
  }
}

/// Differences between the types of `preprocessor_config.json`.
enum ProcessorType {
  case clip, siglip, llava, next, oneVision, patches

  var isTiled: Bool { self == .next || self == .oneVision }
  /// Whether it crops if the file does not specify it.
  var cropsByDefault: Bool { self == .clip || self == .llava || self == .next }

  static let names: KeyValuePairs<String, ProcessorType> = [
    "CLIPImageProcessor": .clip, "BitImageProcessor": .clip, "SiglipImageProcessor": .siglip,
    "LlavaImageProcessor": .llava, "LlavaNextImageProcessor": .next, "LlavaOnevisionImageProcessor": .oneVision,
    "Qwen2VLImageProcessor": .patches, "Qwen2_5_VLImageProcessor": .patches,
  ]

  /// By `image_processor_type`, with or without `Fast`, or by the older `feature_extractor_type`.
  init?(name: String) {
    var name = name
    for suffix in ["Fast", "Pil"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    if name == "CLIPFeatureExtractor" { name = "CLIPImageProcessor" }
    guard let type = Self.names.first(where: { $0.key == name })?.value else { return nil }
    self = type
  }
}
