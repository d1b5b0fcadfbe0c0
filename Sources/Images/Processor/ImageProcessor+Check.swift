import Base

extension ImageProcessor {
  /// Upper limit of a side in a configuration. Larger values are a mistake, or malicious.
  private static let maximalSide = 1 << 16
  private static let maximalArea = 1 << 40

  /// Checks all numbers here, so that later code can rely on them.
  func check(subject: String?) throws {
    func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws {
      guard condition else {
        throw VPatchError(.invalid, subject, reason(), remedy: "use the file that came with the model")
      }
    }
    func side(_ n: Int, _ name: String) throws {
      try require((1...Self.maximalSide).contains(n), "\(name) is \(n), which is not a valid length in pixels")
    }
    switch size {
    case .exact(let size):
      try side(size.width, "size's width")
      try side(size.height, "size's height")
    case .shortestEdge(let edge): try side(edge, "size's shortest_edge")
    case nil: break
    }
    if let crop {
      try side(crop.width, "crop_size's width")
      try side(crop.height, "crop_size's height")
    }
    if let factor = rescaleFactor { try require(Float(factor).isFinite, "rescale_factor is not finite") }
    if let normalization {
      try require(
        (normalization.mean + normalization.deviation).allSatisfy { Float($0).isFinite },
        "image_mean or image_std is not finite")
      try require(normalization.deviation.allSatisfy { Float($0) != 0 }, "image_std contains a zero")
    }
    try require(
      PixelTable(self).values.allSatisfy(\.isFinite), "its numbers give pixel values that are not finite")
    switch layout {
    case .single: break
    case .tiles(let rules): try check(rules, require)
    case .patches(let rules):
      let sides = [
        (rules.patch, "patch_size"), (rules.merge, "merge_size"), (rules.temporal, "temporal_patch_size"),
      ]
      for (n, name) in sides {
        try require((1...1024).contains(n), "\(name) is \(n), which is not within 1 … 1024")
      }
      let (low, high) = (rules.minimalPixels, rules.maximalPixels)
      try require(
        low > 0 && low <= high && high <= Self.maximalArea, "the limits of \(low) to \(high) pixels are not valid")
    }
  }

  private func check(_ rules: TileRules, _ require: (Bool, @autoclosure () -> String) throws -> Void) throws {
    try require((1...Self.maximalSide).contains(rules.side), "tiles have a side of \(rules.side) pixels")
    try require(!rules.resolutions.isEmpty, "image_grid_pinpoints is empty")
    // Every image is fitted into each of them.
    let count = rules.resolutions.count
    try require(count <= 1 << 14, "image_grid_pinpoints has \(count) sizes, more than any model has")
    let final = side(ofTile: rules.side)
    for size in rules.resolutions {
      let words = "image_grid_pinpoints has \(size.height) × \(size.width)"
      try require(
        size.width > 0 && size.height > 0 && size.width <= Self.maximalSide && size.height <= Self.maximalSide
          && size.width % rules.side == 0 && size.height % rules.side == 0,
        "\(words), which is not a multiple of the tile size \(rules.side)")
      let tiles = size.width / rules.side * (size.height / rules.side)
      try require(
        size.width * size.height <= ImageFile.maximalPixels && tiles * final * final <= ImageFile.maximalPixels,
        "\(words), which exceeds the maximum number of pixels")
    }
    guard let whole else { return try require(false, "size is missing") }
    try require(
      whole.width == whole.height && (resizes || crop != nil || whole.width == rules.side),
      "size is \(whole.height) × \(whole.width), which is not the size of the tiles")
    try require(crop.map { $0.width == $0.height } ?? true, "crop_size is not square")
  }

  /// Size of the overview beside the tiles.
  var whole: PixelSize? {
    switch size {
    case .exact(let size): size
    case .shortestEdge(let edge): PixelSize(width: edge, height: edge)
    case nil: nil
    }
  }

  /// The final side of a tile.
  func side(ofTile side: Int) -> Int { crop?.width ?? (resizes ? whole?.width : nil) ?? side }
}
