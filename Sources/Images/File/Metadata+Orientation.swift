import Base

extension Metadata {
  /// Orientation from EXIF's tag 274 or, if that is missing, XMP's `tiff:Orientation`. Undefined values leave the image
  /// unchanged.
  /// - Throws: `invalid` for EXIF data without a TIFF header.
  func orientation(path: String) throws -> Orientation {
    if let exif, let number = try exifOrientation(exif, path: path) { return Orientation(rawValue: number) ?? .upright }
    if let xmp, let number = Self.xmpOrientation(xmp) { return Orientation(rawValue: number) ?? .upright }
    return .upright
  }

  /// The orientation in the first directory of a TIFF file.
  private func exifOrientation(_ block: [UInt8], path: String) throws -> Int? {
    var data = block[...]
    for _ in 0..<2 where data.starts(with: "Exif\0\0".utf8) { data = data.dropFirst(6) }
    guard !data.isEmpty else { return nil }
    guard let reader = TIFFReader(Array(data)) else {
      throw VPatchError(.invalid, path, "its EXIF data is damaged", remedy: "save the image again")
    }
    return reader.integer(tag: 274)
  }

  private static func xmpOrientation(_ packet: [UInt8]) -> Int? {
    let name = Array("tiff:Orientation".utf8)
    var rest = packet[...]
    while let at = rest.firstRange(of: name)?.upperBound {
      rest = rest[at...]
      for mark in ["=\"", ">"] where rest.starts(with: mark.utf8) {
        if let digit = rest.dropFirst(mark.utf8.count).first, (0x30...0x39).contains(digit) { return Int(digit) - 0x30 }
      }
    }
    return nil
  }
}

/// Reads integers from the first directory of a TIFF file (TIFF 6.0, section 2).
private struct TIFFReader {
  let bytes: [UInt8]
  let isLittle: Bool

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 8 else { return nil }
    switch bytes[0..<2] {
    case [0x49, 0x49]: isLittle = true
    case [0x4D, 0x4D]: isLittle = false
    default: return nil
    }
    guard bytes[2..<4] == [0x2A, 0] || bytes[2..<4] == [0, 0x2A] else { return nil }
    self.bytes = bytes
  }

  private func number(at offset: Int, size: Int) -> Int? {
    guard offset >= 0, size <= bytes.count, offset <= bytes.count - size else { return nil }
    let piece = bytes[offset..<offset + size]
    return isLittle ? piece.reversed().reduce(0) { $0 << 8 | Int($1) } : piece.reduce(0) { $0 << 8 | Int($1) }
  }

  /// The first number of a tag; nil if the tag is missing or is not an integer.
  func integer(tag: Int) -> Int? {
    guard let start = number(at: 4, size: 4), let count = number(at: start, size: 2) else { return nil }
    for i in 0..<count {
      let entry = start + 2 + 12 * i
      guard let found = number(at: entry, size: 2), let type = number(at: entry + 2, size: 2),
        let length = number(at: entry + 4, size: 4), number(at: entry + 8, size: 4) != nil
      else { return nil }
      // SHORT, LONG, and their signed variants.
      guard found == tag, let size = [3: 2, 4: 4, 8: 2, 9: 4][type], length > 0 else { continue }
      let total = size * length
      if total <= 4 { return number(at: entry + 8, size: size) }
      guard let offset = number(at: entry + 8, size: 4), number(at: offset, size: 1) != nil,
        total <= bytes.count - offset
      else { return nil }
      return number(at: offset, size: size)
    }
    return nil
  }
}
