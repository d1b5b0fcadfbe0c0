import Base

extension ImageProcessor {
  /// The preprocessing plan for an image of this size.
  /// - Parameters:
  ///   - images: number of images in the row of data. Some models split an image into tiles only if it is the only one.
  ///   - image: the image's name in errors.
  /// - Throws: `refused` if the model does not take images of that shape.
  package func plan(width: Int, height: Int, images: Int = 1, image: String? = nil) throws -> ImagePlan {
    precondition(width > 0 && height > 0, "the image is empty")
    let shape: ImagePlan.Shape
    switch layout {
    case .patches(let rules):
      let size = try resizedSize(width, height, rules, image)
      shape = .patches(rows: size.height / rules.patch, columns: size.width / rules.patch)
    case .tiles(let rules) where images == 1 || !rules.onlyAlone:
      let best = rules.best(width: width, height: height)
      shape = .tiles(
        rows: best.height / rules.side, columns: best.width / rules.side, side: side(ofTile: rules.side))
    case .tiles, .single:
      let size = try steps(width, height, padsToSquare: padsToSquare, image).output
      shape = .crop(width: size.width, height: size.height)
    }
    return ImagePlan(width: width, height: height, shape: shape)
  }

  package func plan(_ source: ImageSource, images: Int = 1) throws -> ImagePlan {
    try plan(width: source.width, height: source.height, images: images, image: source.path)
  }

  /// Whether an image that becomes one picture is first padded to a square.
  var padsToSquare: Bool {
    switch layout {
    case .single(let padsToSquare): padsToSquare
    case .tiles: true
    case .patches: false
    }
  }

  /// Steps for a single picture: its sizes before and after resizing, and the part that is cropped.
  struct Steps {
    var squareSide: Int?
    var resized: PixelSize
    var part: PixelRect
    var output: PixelSize { PixelSize(width: part.width, height: part.height) }
  }

  func steps(_ width: Int, _ height: Int, padsToSquare: Bool = false, _ image: String?) throws -> Steps {
    var now = PixelSize(width: width, height: height)
    var squareSide: Int?
    if padsToSquare, width != height {
      let side = max(width, height)
      try Self.checkArea(side, side, width, height, image)
      squareSide = side
      now = PixelSize(width: side, height: side)
    }
    if resizes, let size { now = size.resized(now) }
    var part = PixelRect(left: 0, top: 0, width: now.width, height: now.height)
    if let crop {
      // Shifting right rounds down, for negative numbers too.
      part = PixelRect(
        left: (now.width - crop.width) >> 1, top: (now.height - crop.height) >> 1, width: crop.width,
        height: crop.height)
    }
    try Self.checkArea(part.width, part.height, width, height, image)
    return Steps(squareSide: squareSide, resized: now, part: part)
  }

  private static func checkArea(_ width: Int, _ height: Int, _ from: Int, _ by: Int, _ image: String?) throws {
    guard width * height <= ImageFile.maximalPixels else {
      throw VPatchError(
        .refused, image, "an image of \(from) × \(by) would become \(width) × \(height) for this model",
        remedy: "crop it to a less extreme shape")
    }
  }

  /// Qwen's "smart resize": sides that are multiples of a merged group, an area within limits, nearly the same aspect
  /// ratio.
  func resizedSize(_ width: Int, _ height: Int, _ rules: PatchRules, _ image: String?) throws -> PixelSize {
    let factor = rules.patch * rules.merge
    guard resizes else {
      guard width % factor == 0, height % factor == 0 else {
        throw VPatchError(
          .refused, image, "has \(width) × \(height) pixels; without resizing, this model takes multiples of \(factor)",
          remedy: "resize it")
      }
      return PixelSize(width: width, height: height)
    }
    guard max(width, height) <= 200 * min(width, height) else {
      throw VPatchError(
        .refused, image,
        "has \(width) × \(height) pixels; this model's maximum aspect ratio is 200",
        remedy: "crop it")
    }
    let (h, w, unit) = (Double(height), Double(width), Double(factor))
    // Rounds halves to even, like Python.
    var rows = (h / unit).rounded(.toNearestOrEven)
    var columns = (w / unit).rounded(.toNearestOrEven)
    let area = rows * unit * columns * unit
    if area > Double(rules.maximalPixels) {
      let shrink = (h * w / Double(rules.maximalPixels)).squareRoot()
      rows = max(1, (h / shrink / unit).rounded(.down))
      columns = max(1, (w / shrink / unit).rounded(.down))
    } else if area < Double(rules.minimalPixels) {
      let grow = (Double(rules.minimalPixels) / (h * w)).squareRoot()
      rows = (h * grow / unit).rounded(.up)
      columns = (w * grow / unit).rounded(.up)
    }
    guard rows * columns * unit * unit <= Double(ImageFile.maximalPixels), rows > 0, columns > 0 else {
      throw VPatchError(
        .refused, image,
        "an image of \(width) × \(height) would become \(columns * unit) × \(rows * unit) for this model",
        remedy: "crop it to a less extreme shape, or check the model's preprocessor_config.json")
    }
    return PixelSize(width: Int(columns) * factor, height: Int(rows) * factor)
  }
}

extension ImageSize {
  func resized(_ old: PixelSize) -> PixelSize {
    switch self {
    case .exact(let size): return size
    case .shortestEdge(let edge):
      let short = min(old.width, old.height)
      let long = Int(Double(edge * max(old.width, old.height)) / Double(short))
      return old.width <= old.height ? PixelSize(width: edge, height: long) : PixelSize(width: long, height: edge)
    }
  }
}

extension TileRules {
  /// The resolution that keeps most of the image's pixels and, among equals, wastes the fewest.
  func best(width: Int, height: Int) -> PixelSize {
    var best = resolutions[0]
    var most = 0
    var least = Int.max
    for size in resolutions {
      let scale = min(Double(size.width) / Double(width), Double(size.height) / Double(height))
      let kept = min(Int(Double(width) * scale) * Int(Double(height) * scale), width * height)
      let wasted = size.width * size.height - kept
      if kept > most || (kept == most && wasted < least) {
        (best, most, least) = (size, kept, wasted)
      }
    }
    return best
  }

  /// The size of an image inside a resolution, before padding.
  func fitted(width: Int, height: Int, in target: PixelSize) -> PixelSize {
    let across = Double(target.width) / Double(width)
    let down = Double(target.height) / Double(height)
    if across < down {
      let fitted = Int((Double(height) * across).rounded(.up))
      return PixelSize(width: target.width, height: min(fitted, target.height))
    }
    let fitted = Int((Double(width) * down).rounded(.up))
    return PixelSize(width: min(fitted, target.width), height: target.height)
  }
}
