import Base

// One colour of a PNG may be transparent (chunk tRNS). Pillow 13 and transformers 5.24 handle it as follows: load_image
// converts the image to RGB, which keeps a single transparent colour in its `info`; the image processors then paste the
// image onto white (image_transforms.convert_to_rgb), so every pixel of that colour becomes white. For a palette with
// several transparent or half transparent entries, the conversion to RGB drops transparency, as it drops an alpha
// channel.

extension Metadata {
  /// The colour that is replaced by white; nil if there is none.
  /// - Parameter png: the file, from its signature.
  /// - Throws: `invalid` for a truncated chunk, which Pillow refuses.
  func transparentColor(ofPNG png: [UInt8], path: String) throws -> SIMD3<UInt8>? {
    guard let transparency, png.count > 25 else { return nil }
    let (depth, type) = (png[24], png[25])
    func number(_ i: Int) throws -> Int {
      guard transparency.count >= 2 * i + 2 else {
        throw VPatchError(
          .invalid, path, "is a damaged PNG: its tRNS chunk is cut short",
          remedy: "get the image again, or save it again")
      }
      return Int(transparency[2 * i]) << 8 | Int(transparency[2 * i + 1])
    }
    switch type {
    case 0 where depth == 1 || depth == 16:
      // Pillow keeps one number, and compares it as a red with green and blue 0: the only grey that can match is black.
      let value = depth == 1 ? (try number(0) == 0 ? 0 : 255) : try number(0)
      return SIMD3(UInt8(truncatingIfNeeded: value), 0, 0)
    // Not scaled, although greys of two or four bits are scaled to eight.
    case 0: return SIMD3(repeating: UInt8(min(try number(0), 255)))
    case 2: return SIMD3(try (0..<3).map { UInt8(truncatingIfNeeded: try number($0)) })
    case 3:
      let clear = transparency.indices.filter { transparency[$0] != 255 }
      guard clear.count == 1, transparency[clear[0]] == 0 else { return nil }
      let entry = palette.dropFirst(3 * clear[0]).prefix(3)
      // An index outside the palette is black.
      return entry.count == 3 ? SIMD3(entry) : SIMD3(repeating: 0)
    default: return nil
    }
  }
}
