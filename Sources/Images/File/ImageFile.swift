import Base
import CImages

/// An image file in memory: PNG, JPEG or WebP. Its header has been read; its pixels are decoded on demand.
///
/// The pixels equal those of Pillow's `ImageOps.exif_transpose(Image.open(path)).convert("RGB")` (Pillow 13.0.0): alpha
/// is dropped, a transparent colour is kept separately, colour profiles are not applied, and 16 bits become 8 as in
/// Pillow. Refused in addition: damaged JPEGs that Pillow's library would fill in, and animated WebP.
package struct ImageFile: Sendable {
  /// Maximum number of pixels, checked in the header, as in Pillow.
  package static let maximalPixels = 178_956_970
  /// Maximum length of a side: libpng's own limit.
  static let maximalSide = 1_000_000
  static let maximalBytes = 1 << 30

  package let source: ImageSource
  let bytes: [UInt8]
  let kind: ImageKind
  /// Size as stored, before the orientation is applied.
  let storedSize: (width: UInt32, height: UInt32)
  let orientation: Orientation
  let transparentColor: SIMD3<UInt8>?

  /// - Throws: `invalid` for anything but an image, and for one that is too large or of an unsupported format.
  package init(path: String) throws {
    let bytes = try InputFile.contents(of: path, limit: Self.maximalBytes)
    try self.init(path: path, bytes: bytes)
  }

  /// An image that is already in memory.
  /// - Parameter path: its name in errors.
  package init(path: String, bytes: [UInt8]) throws {
    guard !bytes.isEmpty else { throw VPatchError(.invalid, path, "is empty", remedy: "get the image again") }
    guard let kind = ImageKind(bytes) else {
      let guess = ImageKind.guess(bytes).map { "is \($0)" } ?? "is no image of a format that is read"
      throw VPatchError(.invalid, path, guess, remedy: "convert it to PNG, JPEG or WebP")
    }
    var size: [UInt32] = [0, 0]
    var error = vp_image_error()
    guard kind.readSize(bytes, bytes.count, &size, &error) == VP_IMAGE_OK else {
      throw Self.failure(path, kind, error)
    }
    let (width, height) = (Int(size[0]), Int(size[1]))
    guard width > 0, height > 0 else {
      throw VPatchError(.invalid, path, "has no pixels: \(width) × \(height)", remedy: "get the image again")
    }
    guard width <= Self.maximalSide, height <= Self.maximalSide, width * height <= Self.maximalPixels else {
      throw VPatchError(
        .invalid, path,
        "is too large: \(width) × \(height); at most \(Self.maximalPixels) pixels are read, and \(Self.maximalSide) a side",
        remedy: "scale it down")
    }
    let metadata = try Metadata(kind, bytes, path: path)
    let orientation = try metadata.orientation(path: path)
    transparentColor = kind == .png ? try metadata.transparentColor(ofPNG: bytes, path: path) : nil
    self.bytes = bytes
    self.kind = kind
    self.storedSize = (size[0], size[1])
    self.orientation = orientation
    self.source = ImageSource(
      path: path, digest: SHA256Hasher.hash(bytes), width: orientation.swapsSides ? height : width,
      height: orientation.swapsSides ? width : height)
  }

  /// The pixels, after applying the orientation.
  /// - Throws: `invalid` if the file is cut short or damaged.
  package func decode() throws -> RGBImage {
    let (width, height) = (Int(storedSize.width), Int(storedSize.height))
    var error = vp_image_error()
    let size = [storedSize.width, storedSize.height]
    let pixels = try [UInt8](unsafeUninitializedCapacity: width * height * 3) { buffer, count in
      guard kind.decode(bytes, bytes.count, size, buffer.baseAddress, &error) == VP_IMAGE_OK else {
        throw Self.failure(source.path, kind, error)
      }
      count = width * height * 3
    }
    let upright = orientation.apply(to: RGBImage(width: width, height: height, pixels: pixels))
    return RGBImage(
      width: upright.width, height: upright.height, pixels: upright.pixels, transparentColor: transparentColor)
  }

  /// The pixels of an image whose header was read before.
  /// - Throws: `mismatch` if the file has changed since then.
  package static func decode(_ source: ImageSource) throws -> RGBImage {
    let file = try ImageFile(path: source.path)
    guard file.source.digest == source.digest else {
      throw VPatchError(.mismatch, source.path, "has changed since it was checked", remedy: "start again")
    }
    return try file.decode()
  }

  private static func failure(_ path: String, _ kind: ImageKind, _ error: vp_image_error) -> VPatchError {
    let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    switch error.status {
    case VP_IMAGE_TRUNCATED:
      return VPatchError(.invalid, path, "is cut short: the \(kind.name) ends early", remedy: "get the image again")
    case VP_IMAGE_UNSUPPORTED:
      return VPatchError(
        .invalid, path, "is a \(kind.name) that is not read: \(message)", remedy: "convert it to a plain PNG or JPEG")
    case VP_IMAGE_MEMORY: return VPatchError(.io, path, "there is not enough memory to decode the \(kind.name)")
    default:
      return VPatchError(
        .invalid, path, "is a damaged \(kind.name): \(message)", remedy: "get the image again, or save it again")
    }
  }
}
