/// Rotation and mirroring that make an image upright; the numbers are those of EXIF's tag 274.
enum Orientation: Int {
  case upright = 1
  case mirrored = 2
  case upsideDown = 3
  case flipped = 4
  case transposed = 5
  case clockwise = 6
  case transversed = 7
  case counterclockwise = 8

  /// Whether width and height are exchanged.
  var swapsSides: Bool { rawValue >= 5 }

  /// The pixels of `image` with the orientation applied.
  func apply(to image: RGBImage) -> RGBImage {
    guard self != .upright else { return image }
    let (width, height) = (image.width, image.height)
    let newWidth = swapsSides ? height : width
    let newHeight = swapsSides ? width : height
    // Index of the result's first pixel in the file, and the distances to its right and lower neighbours.
    let (start, across, down): (Int, Int, Int) =
      switch self {
      case .upright: (0, 1, width)
      case .mirrored: (width - 1, -1, width)
      case .upsideDown: (width * height - 1, -1, -width)
      case .flipped: (width * (height - 1), 1, -width)
      case .transposed: (0, width, 1)
      case .clockwise: (width * (height - 1), -width, 1)
      case .transversed: (width * height - 1, -width, -1)
      case .counterclockwise: (width - 1, width, -1)
      }
    let pixels = [UInt8](unsafeUninitializedCapacity: image.pixels.count) { output, written in
      image.pixels.withUnsafeBufferPointer { input in
        var target = 0
        for y in 0..<newHeight {
          var source = (start + y * down) * 3
          for _ in 0..<newWidth {
            output[target] = input[source]
            output[target + 1] = input[source + 1]
            output[target + 2] = input[source + 2]
            target += 3
            source += across * 3
          }
        }
      }
      written = image.pixels.count
    }
    return RGBImage(width: newWidth, height: newHeight, pixels: pixels)
  }
}
