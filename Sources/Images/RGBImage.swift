/// An image in 8-bit RGB, upright.
package struct RGBImage: Equatable, Sendable {
  package let width: Int
  package let height: Int
  /// [height, width, 3]
  package let pixels: [UInt8]
  /// Pixels of this colour are transparent, if the file has such a colour.
  package let transparentColor: SIMD3<UInt8>?

  package init(width: Int, height: Int, pixels: [UInt8], transparentColor: SIMD3<UInt8>? = nil) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "pixels do not match the size")
    self.width = width
    self.height = height
    self.pixels = pixels
    self.transparentColor = transparentColor
  }

  /// The image with its transparent colour replaced by white.
  var overWhite: RGBImage {
    guard let color = transparentColor, color != SIMD3(repeating: 255) else { return self }
    var pixels = pixels
    for i in stride(from: 0, to: pixels.count, by: 3)
    where pixels[i] == color.x && pixels[i + 1] == color.y && pixels[i + 2] == color.z {
      (pixels[i], pixels[i + 1], pixels[i + 2]) = (255, 255, 255)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}

/// A part of an image, in pixels. It may extend beyond the image's edges.
struct PixelRect: Equatable {
  var left: Int
  var top: Int
  var width: Int
  var height: Int
}

extension RGBImage {
  /// The part of the image, with `background` outside the image.
  func part(_ rect: PixelRect, background: (UInt8, UInt8, UInt8) = (0, 0, 0)) -> RGBImage {
    let rows = max(rect.top, 0)..<max(min(rect.top + rect.height, height), max(rect.top, 0))
    let columns = max(rect.left, 0)..<max(min(rect.left + rect.width, width), max(rect.left, 0))
    let covered = rows.count == rect.height && columns.count == rect.width
    let count = rect.width * rect.height * 3
    let part = [UInt8](unsafeUninitializedCapacity: count) { output, written in
      if !covered {
        for i in 0..<rect.width * rect.height {
          (output[3 * i], output[3 * i + 1], output[3 * i + 2]) = background
        }
      }
      pixels.withUnsafeBufferPointer { input in
        guard !columns.isEmpty else { return }
        for y in rows {
          let target = ((y - rect.top) * rect.width + columns.lowerBound - rect.left) * 3
          let source = (y * width + columns.lowerBound) * 3
          (output.baseAddress! + target).update(from: input.baseAddress! + source, count: columns.count * 3)
        }
      }
      written = count
    }
    return RGBImage(width: rect.width, height: rect.height, pixels: part)
  }
}
