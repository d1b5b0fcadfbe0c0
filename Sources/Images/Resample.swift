import Base
import CImages

/// Interpolation filters; the numbers are Pillow's, as used in `preprocessor_config.json`.
package enum Resample: Int, Sendable {
  case nearest = 0
  case lanczos = 1
  case bilinear = 2
  case bicubic = 3
}

extension RGBImage {
  /// The image resized, bitwise equal to Pillow's `Image.resize`.
  package func resized(width: Int, height: Int, _ resample: Resample) throws -> RGBImage {
    try resized(
      width: width, height: height, resample, part: PixelRect(left: 0, top: 0, width: width, height: height))
  }

  /// A part of the resized image, without computing the rest: the whole may have a thousand times as many pixels as a
  /// crop of 224 × 224. The part must lie inside.
  func resized(width: Int, height: Int, _ resample: Resample, part: PixelRect) throws -> RGBImage {
    precondition(
      part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0 && part.left + part.width <= width
        && part.top + part.height <= height, "the part extends beyond the image")
    if width == self.width, height == self.height, part.width == width, part.height == height { return self }
    let count = part.width * part.height * 3
    let resized = try [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      let status = vp_resize(
        pixels, Int64(self.width), Int64(self.height), Int64(width), Int64(height), Int64(part.left), Int64(part.top),
        Int64(part.width), Int64(part.height), vp_filter(UInt32(resample.rawValue)), buffer.baseAddress)
      guard status == 0 else {
        throw VPatchError(.io, nil, "there is not enough memory to resize an image to \(width) × \(height)")
      }
      written = count
    }
    return RGBImage(width: part.width, height: part.height, pixels: resized)
  }
}
