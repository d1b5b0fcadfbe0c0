import Base
import CImages

/// An image file's metadata that orientation and transparency need.
struct Metadata {
  /// An EXIF block: a TIFF header and what follows, possibly after `Exif\0\0`.
  var exif: [UInt8]?
  /// An XMP packet, used if EXIF has no orientation.
  var xmp: [UInt8]?
  /// For a PNG: the tRNS chunk, wherever it is, and the PLTE chunk before the pixels.
  var transparency: [UInt8]?
  var palette: [UInt8] = []

  init(_ kind: ImageKind, _ bytes: [UInt8], path: String) throws {
    switch kind {
    case .png: try readPNG(bytes, path: path)
    case .jpeg: readJPEG(bytes)
    case .webp: readWebP(bytes)
    }
  }

  /// Reads the segments before the first scan. Several EXIF segments continue each other.
  private mutating func readJPEG(_ bytes: [UInt8]) {
    var at = 2
    while at + 4 <= bytes.count {
      guard bytes[at] == 0xFF else {
        at += 1
        continue
      }
      let marker = bytes[at + 1]
      // Fill bytes, and markers without a segment.
      if marker == 0xFF || marker == 0 || (0xD0...0xD8).contains(marker) || marker == 0x01 {
        at += marker == 0xFF ? 1 : 2
        continue
      }
      if marker == 0xDA || marker == 0xD9 { return }
      let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
      let end = at + 2 + length
      guard length >= 2, end <= bytes.count else { return }
      if marker == 0xE1 {
        let body = bytes[at + 4..<end]
        if body.starts(with: "Exif\0\0".utf8) {
          // Appends in place: a file may have thousands of these segments.
          if exif == nil { exif = Array(body) } else { exif!.append(contentsOf: body.dropFirst(6)) }
        } else if body.starts(with: "http://ns.adobe.com/xap/1.0/\0".utf8) {
          xmp = Array(body.drop { $0 != 0 })
        }
      }
      at = end
    }
  }

  private mutating func readWebP(_ bytes: [UInt8]) {
    var at = 12
    while at + 8 <= bytes.count {
      let length = (0..<4).reduce(0) { $0 | Int(bytes[at + 4 + $1]) << (8 * $1) }
      guard length <= bytes.count - at - 8 else { return }
      let name = bytes[at..<at + 4]
      let body = bytes[at + 8..<at + 8 + length]
      if name.elementsEqual("EXIF".utf8), exif == nil { exif = Array(body) }
      if name.elementsEqual("XMP ".utf8), xmp == nil { xmp = Array(body) }
      at += 8 + length + length % 2
    }
  }

  /// Reads all chunks, including those after the pixels.
  private mutating func readPNG(_ bytes: [UInt8], path: String) throws {
    var at = 8
    var profile: [UInt8]?
    var hasPixels = false
    while at + 12 <= bytes.count {
      let length = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - at - 12 else { break }
      let body = bytes[at + 8..<at + 8 + length]
      switch String(decoding: bytes[at + 4..<at + 8], as: UTF8.self) {
      case "eXIf": exif = Array(body)
      case "IDAT": hasPixels = true
      case "tRNS": transparency = Array(body)
      case "PLTE" where !hasPixels: palette = Array(body)
      case let name where ["tEXt", "zTXt", "iTXt"].contains(name):
        if let text = try Self.text(name, body, key: "XML:com.adobe.xmp", path: path) { xmp = text }
        // ImageMagick's EXIF, from before there was a chunk for it.
        if let text = try Self.text(name, body, key: "Raw profile type exif", path: path) { profile = text }
      default: break
      }
      at += 12 + length
    }
    if exif == nil, let profile { exif = try Self.rawProfile(profile, path: path) }
  }

  /// The content of a text chunk with a key, decompressed.
  private static func text(_ name: String, _ body: ArraySlice<UInt8>, key: String, path: String) throws -> [UInt8]? {
    guard body.starts(with: key.utf8), body.dropFirst(key.utf8.count).first == 0 else { return nil }
    var rest = body.dropFirst(key.utf8.count + 1)
    var isDeflated = name == "zTXt"
    if name == "zTXt" {
      rest = rest.dropFirst()
    } else if name == "iTXt" {
      isDeflated = rest.first == 1
      // Compression flag and method, language, and the key in that language.
      rest = rest.dropFirst(2).drop { $0 != 0 }.dropFirst().drop { $0 != 0 }.dropFirst()
    }
    guard isDeflated else { return Array(rest) }
    let limit = 1 << 20
    return try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      let length = rest.withUnsafeBufferPointer { vp_inflate($0.baseAddress, $0.count, buffer.baseAddress, limit) }
      guard length >= 0 else {
        throw VPatchError(.invalid, path, "has a damaged text chunk “\(key)”", remedy: "save the image again")
      }
      count = length
    }
  }

  /// Parses a name, a length and hexadecimal digits, in lines.
  private static func rawProfile(_ text: [UInt8], path: String) throws -> [UInt8] {
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropFirst(3)
    let digits = lines.joined().filter { $0 > 0x20 }
    guard let bytes = [UInt8](hex: String(decoding: digits, as: UTF8.self).lowercased()) else {
      throw VPatchError(.invalid, path, "its EXIF data is damaged", remedy: "save the image again")
    }
    return bytes
  }
}
