import Base
import Images

extension VisionConfig.Tower {
  /// The towers that models name in `mm_vision_tower`, by the last part of the name. These configs do not describe the
  /// tower.
  package static let known: [String: Self] = [
    "siglip-so400m-patch14-384": .siglip384,
    "clip-vit-large-patch14-336": .clip336,
    "clip-vit-large-patch14": Self(
      family: .clip, hiddenSize: 1024, intermediateSize: 4096, layers: 24, heads: 16, patchSize: 14, imageSize: 224,
      activation: .quickGELU, normEpsilon: 1e-5),
  ]
}

/// Models as saved by their authors' code (liuhaotian, lmms-lab).
extension VisionConfig {
  /// The placeholder for an image among the token ids of such models. No vocabulary has this id.
  static let originalImageToken: Int32 = -200

  static func original(_ json: JSON, textHidden: Int, path: String, towers: [String: Tower]) throws -> VisionConfig {
    let keys = Keys(json, path)
    let name = json["mm_vision_tower"]?.string ?? ""
    guard let tower = towers[String(name.split(separator: "/").last ?? "")] else {
      throw keys.refused("mm_vision_tower", name, known: towers.keys.sorted().joined(separator: ", "))
    }
    var config = VisionConfig(
      path: path, tower: tower, featureLayers: [tower.layers], dropsFirst: false,
      projector: try projector(keys), packing: .plain, textHidden: textHidden, imageToken: originalImageToken)
    // The SigLIP wrapper in that code uses the last layer, whatever the config says.
    if tower.family != .siglip {
      config.featureLayers = try keys.layers("mm_vision_select_layer", -2, of: tower)
      switch json["mm_vision_select_feature"]?.string ?? "patch" {
      case "patch": config.dropsFirst = true
      case "cls_patch": config.dropsFirst = false
      case let other: throw keys.refused("mm_vision_select_feature", other, known: "patch, cls_patch")
      }
    }
    let aspect = json["image_aspect_ratio"]?.string ?? "square"
    switch json["mm_patch_merge_type"]?.string ?? "flat" {
    case "flat" where !aspect.hasPrefix("anyres"): config.packing = .plain
    case "spatial_unpad" where aspect.hasPrefix("anyres"):
      let grids = try grids(keys, tower)
      config.packing = .tiles(grids: grids, limit: aspect == "anyres" ? nil : try keys.limit(aspect))
    case let merge:
      throw VPatchError(
        .refused, path,
        "has the mm_patch_merge_type \"\(merge.printable)\" with the image_aspect_ratio \"\(aspect.printable)\", "
          + "a combination that is not supported",
        remedy: "supported are flat with pad or square, spatial_unpad with anyres or anyres_max_9")
    }
    try config.check()
    config.standardProcessor = try config.processor(padsToSquare: aspect == "pad")
    return config
  }

  /// The preprocessing in LLaVA's code for these towers. The transformers version of that time discarded transparency.
  private func processor(padsToSquare: Bool) throws -> ImageProcessor {
    let side = tower.imageSize
    let square = PixelSize(width: side, height: side)
    let isCLIP = tower.family == .clip
    let normalization: Normalization =
      isCLIP ? .clip : Normalization(mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
    if case .tiles(let grids, _) = packing {
      let resolutions = grids.map { PixelSize(width: $0.width, height: $0.height) }
      return try ImageProcessor(
        layout: .tiles(TileRules(resolutions: resolutions, side: side, onlyAlone: !isCLIP)), size: .exact(square),
        normalization: normalization, laysOverWhite: false, subject: path)
    }
    return try ImageProcessor(
      layout: .single(padsToSquare: padsToSquare), size: isCLIP ? .shortestEdge(side) : .exact(square),
      crop: isCLIP ? square : nil, normalization: normalization, laysOverWhite: false, subject: path)
  }

  /// Reads `image_grid_pinpoints`: pairs of width and height (in transformers it is height and width), or a range of
  /// tiles, such as "(1x1),...,(6x6)".
  private static func grids(_ keys: Keys, _ tower: Tower) throws -> [Grid] {
    guard let text = keys.reader.optional("image_grid_pinpoints")?.string else {
      guard let grids = try keys.grids() else { throw keys.missing("image_grid_pinpoints") }
      return grids.map { Grid(height: $0.width, width: $0.height) }
    }
    let pairs = text.matches(of: /\(([0-9]{1,2})x([0-9]{1,2})\)/).map { (Int($0.output.1)!, Int($0.output.2)!) }
    guard let first = pairs.first, let last = pairs.last, 1 <= first.0, first.0 <= last.0, 1 <= first.1,
      first.1 <= last.1
    else { throw keys.missing("image_grid_pinpoints") }
    return (first.0...last.0).flatMap { across in
      (first.1...last.1).map { down in Grid(height: down * tower.imageSize, width: across * tower.imageSize) }
    }
  }

  private static func projector(_ keys: Keys) throws -> Projector {
    switch keys.reader.optional("mm_projector_type")?.string ?? "linear" {
    case "linear": .linear(hasBias: true)
    case "mlp2x_gelu": .mlp(.gelu, hasBias: true)
    case let other: throw keys.refused("mm_projector_type", other, known: "mlp2x_gelu, linear")
    }
  }
}
