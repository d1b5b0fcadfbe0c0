import CImages

/// An image file format, recognised by a file's first bytes.
enum ImageKind: CaseIterable {
  case png, jpeg, webp

  init?(_ bytes: some Collection<UInt8>) {
    let head = Array(bytes.prefix(12))
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if head.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if head.starts(with: "RIFF".utf8), head.dropFirst(8).elementsEqual("WEBP".utf8) {
      self = .webp
    } else {
      return nil
    }
  }

  var name: String {
    switch self {
    case .png: "PNG"
    case .jpeg: "JPEG"
    case .webp: "WebP"
    }
  }

  typealias ReadSize =
    @convention(c) (
      UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<vp_image_error>?
    ) -> vp_image_status
  typealias Decode =
    @convention(c) (
      UnsafePointer<UInt8>?, Int, UnsafePointer<UInt32>?, UnsafeMutablePointer<UInt8>?,
      UnsafeMutablePointer<vp_image_error>?
    ) -> vp_image_status

  var readSize: ReadSize {
    switch self {
    case .png: vp_png_size
    case .jpeg: vp_jpeg_size
    case .webp: vp_webp_size
    }
  }

  var decode: Decode {
    switch self {
    case .png: vp_png_decode
    case .jpeg: vp_jpeg_decode
    case .webp: vp_webp_decode
    }
  }

  /// The likely type of a file that is none of these, for the error.
  static func guess(_ bytes: [UInt8]) -> String? {
    let known: [(String, [UInt8])] = [
      ("a GIF", Array("GIF8".utf8)), ("a BMP", Array("BM".utf8)), ("a TIFF", [0x49, 0x49, 0x2A, 0x00]),
      ("a TIFF", [0x4D, 0x4D, 0x00, 0x2A]), ("a PDF", Array("%PDF".utf8)), ("an icon", [0, 0, 1, 0]),
      ("a JPEG 2000", [0, 0, 0, 0x0C, 0x6A, 0x50]), ("a JPEG XL", [0xFF, 0x0A]),
      ("a JPEG XL", [0, 0, 0, 0x0C, 0x4A, 0x58]),
    ]
    if let match = known.first(where: { bytes.starts(with: $0.1) }) { return match.0 }
    if bytes.dropFirst(4).starts(with: "ftyp".utf8) {
      return bytes.dropFirst(8).starts(with: "avi".utf8) ? "an AVIF" : "a HEIF or a video"
    }
    let text = bytes.prefix(1024)
    guard text.first(where: { $0 > 0x20 && $0 < 0x80 }) == UInt8(ascii: "<") else { return nil }
    return String(decoding: text, as: UTF8.self).contains("<svg") ? "an SVG" : "a text in HTML or XML"
  }
}
