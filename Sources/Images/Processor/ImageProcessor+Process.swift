extension ImageProcessor {
  /// Preprocesses an image for the tower.
  /// - Parameters:
  ///   - images: number of images in the row of data, as for ``plan(width:height:images:image:)``.
  ///   - name: the image's name in errors.
  package func process(_ image: RGBImage, images: Int = 1, name: String? = nil) throws -> PixelValues {
    let plan = try plan(width: image.width, height: image.height, images: images, image: name)
    let image = laysOverWhite ? image.overWhite : image
    let pictures = try pictures(image, images: images, name)
    let table = PixelTable(self)
    if case .patches(let rules) = layout {
      let patch = rules.patch
      return PixelValues(
        plan: plan,
        shape: [pictures[0].height / patch * (pictures[0].width / patch), 3 * rules.temporal * patch * patch],
        values: table.patches(of: pictures[0], rules))
    }
    return PixelValues(
      plan: plan, shape: [pictures.count, 3, pictures[0].height, pictures[0].width],
      values: table.planes(of: pictures))
  }

  /// The pictures made from an image, in 8 bits.
  func pictures(_ image: RGBImage, images: Int, _ name: String?) throws -> [RGBImage] {
    switch layout {
    case .patches(let rules):
      let size = try resizedSize(image.width, image.height, rules, name)
      return [try image.resized(width: size.width, height: size.height, resample)]
    case .tiles(let rules) where images == 1 || !rules.onlyAlone:
      return try tiles(of: image, rules)
    case .tiles, .single:
      return [try picture(of: image, padsToSquare: padsToSquare, name)]
    }
  }

  private func picture(of image: RGBImage, padsToSquare: Bool = false, _ name: String? = nil) throws -> RGBImage {
    let steps = try steps(image.width, image.height, padsToSquare: padsToSquare, name)
    var image = image
    if let side = steps.squareSide {
      let square = PixelRect(
        left: -((side - image.width) / 2), top: -((side - image.height) / 2), width: side, height: side)
      image = image.part(square, background: meanColor)
    }
    // Only the cropped part is computed; outside the image it is black.
    let (part, size) = (steps.part, steps.resized)
    let left = max(part.left, 0)
    let top = max(part.top, 0)
    let inside = PixelRect(
      left: left, top: top, width: min(part.left + part.width, size.width) - left,
      height: min(part.top + part.height, size.height) - top)
    let kept = try image.resized(width: size.width, height: size.height, resample, part: inside)
    guard inside != part else { return kept }
    return kept.part(
      PixelRect(left: part.left - left, top: part.top - top, width: part.width, height: part.height))
  }

  /// The overview, then the tiles of the image fitted to the best resolution, with black borders.
  private func tiles(of image: RGBImage, _ rules: TileRules) throws -> [RGBImage] {
    let best = rules.best(width: image.width, height: image.height)
    let fitted = rules.fitted(width: image.width, height: image.height, in: best)
    let large = try image.resized(width: fitted.width, height: fitted.height, resample)
    let left = (best.width - fitted.width) / 2
    let top = (best.height - fitted.height) / 2
    guard let square = whole else { preconditionFailure("tiles without a size were refused") }
    var pictures = [try picture(of: image.resized(width: square.width, height: square.height, resample))]
    for row in 0..<best.height / rules.side {
      for column in 0..<best.width / rules.side {
        let rect = PixelRect(
          left: column * rules.side - left, top: row * rules.side - top, width: rules.side, height: rules.side)
        pictures.append(try picture(of: large.part(rect)))
      }
    }
    return pictures
  }

  /// Colour of the padding to squares: the means in 8 bits, rounded down.
  private var meanColor: (UInt8, UInt8, UInt8) {
    guard let mean = normalization?.mean else { return (0, 0, 0) }
    let bytes = mean.map { UInt8(clamping: Int(max(-1, min($0, 2)) * 255)) }
    return (bytes[0], bytes[1], bytes[2])
  }
}

/// Maps each of 256 values to its normalized value, for each colour.
struct PixelTable {
  /// [3, 256]
  let values: [Float]

  /// Rescaled in Float64, rounded, and normalized in Float32, as in transformers with NumPy.
  init(_ processor: ImageProcessor) {
    values = (0..<3 * 256).map { i in
      let (color, byte) = (i / 256, i % 256)
      let value = processor.rescaleFactor.map { Float(Double(byte) * $0) } ?? Float(byte)
      guard let normalization = processor.normalization else { return value }
      return (value - Float(normalization.mean[color])) / Float(normalization.deviation[color])
    }
  }

  /// [pictures, 3, height, width]
  func planes(of pictures: [RGBImage]) -> [Float] {
    let area = pictures[0].width * pictures[0].height
    return [Float](unsafeUninitializedCapacity: pictures.count * 3 * area) { output, written in
      values.withUnsafeBufferPointer { table in
        for (i, picture) in pictures.enumerated() {
          picture.pixels.withUnsafeBufferPointer { pixels in
            for color in 0..<3 {
              let plane = output.baseAddress! + (3 * i + color) * area
              for j in 0..<area { plane[j] = table[256 * color + Int(pixels[3 * j + color])] }
            }
          }
        }
      }
      written = pictures.count * 3 * area
    }
  }

  /// [patches, 3 · temporal · patch · patch]; merged groups row by row, and row by row inside each group.
  func patches(of picture: RGBImage, _ rules: PatchRules) -> [Float] {
    let (patch, merge) = (rules.patch, rules.merge)
    let (rows, columns) = (picture.height / patch, picture.width / patch)
    let area = patch * patch
    let count = rows * columns * 3 * rules.temporal * area
    return [Float](unsafeUninitializedCapacity: count) { output, written in
      var target = output.baseAddress!
      values.withUnsafeBufferPointer { table in
        picture.pixels.withUnsafeBufferPointer { pixels in
          for group in 0..<rows * columns {
            let (place, within) = group.quotientAndRemainder(dividingBy: merge * merge)
            let (groupRow, groupColumn) = place.quotientAndRemainder(dividingBy: columns / merge)
            let row = groupRow * merge + within / merge
            let column = groupColumn * merge + within % merge
            for color in 0..<3 {
              for y in 0..<patch {
                let line = ((row * patch + y) * picture.width + column * patch) * 3 + color
                for x in 0..<patch { target[y * patch + x] = table[256 * color + Int(pixels[line + 3 * x])] }
              }
              for frame in 1..<max(rules.temporal, 1) {
                (target + frame * area).update(from: target, count: area)
              }
              target += rules.temporal * area
            }
          }
        }
      }
      written = count
    }
  }
}
