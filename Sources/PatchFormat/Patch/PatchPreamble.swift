// The first 128 bytes of a patch (spec, section 3):
//
//   0   8 bytes  89 56 50 54 0D 0A 1A 0A        40  u64  stored length of the header
//   8   u16      major version = 1              48  u64  decoded length of the header
//   10  6 bytes  zero                           56  8 bytes  zero
//   16  u64      flags: must be understood      64  32 bytes  SHA-256 of the stored header
//   24  u64      flags: safe when only reading  96  32 bytes  SHA-256 of bytes 0 … 95
//   32  u64      flags: may be ignored

import Base

struct PatchPreamble {
  package static let size = 128
  package static let magic: [UInt8] = [0x89, 0x56, 0x50, 0x54, 0x0D, 0x0A, 0x1A, 0x0A]
  static let majorVersion: UInt16 = 1

  let headerStored: Int
  let headerDecoded: Int
  let headerDigest: ContentDigest
  let flags: PatchFlags
  /// Whether flags forbid this version to write a changed file.
  let isReadOnly: Bool

  init(headerStored: Int, headerDecoded: Int, headerDigest: ContentDigest, flags: PatchFlags) {
    self.headerStored = headerStored
    self.headerDecoded = headerDecoded
    self.headerDigest = headerDigest
    self.flags = flags
    isReadOnly = false
  }

  package var encoded: [UInt8] {
    var bytes = Self.magic
    bytes += [UInt8](littleEndian: Self.majorVersion)
    bytes += [UInt8](repeating: 0, count: 6)
    bytes += [UInt8](littleEndian: flags.rawValue)
    bytes += [UInt8](repeating: 0, count: 2 * 8)
    bytes += [UInt8](littleEndian: UInt64(headerStored))
    bytes += [UInt8](littleEndian: UInt64(headerDecoded))
    bytes += [UInt8](repeating: 0, count: 8)
    bytes += headerDigest.bytes
    return bytes + SHA256Hasher.hash(bytes).bytes
  }

  /// Checks rules 1 to 5 as far as they concern these bytes.
  /// - Throws: `Malformed`.
  init(parsing bytes: [UInt8], fileSize: Int) throws {
    guard bytes.count == Self.size, Array(bytes[..<8]) == Self.magic else {
      if bytes.count >= 4, Array(bytes[..<4]) == Array(Self.magic[..<4]) {
        throw Malformed("is a vpatch file that was cut short or changed by a transfer in text mode", isDamage: true)
      }
      throw Malformed("is not a vpatch file")
    }
    func u64(_ offset: Int) -> UInt64 {
      bytes[offset..<offset + 8].enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    }
    guard ContentDigest(bytes: bytes[96..<128]) == SHA256Hasher.hash(bytes[0..<96]) else {
      throw Malformed("is damaged in its preamble", isDamage: true)
    }
    let version = UInt16(bytes[8]) | UInt16(bytes[9]) << 8
    guard version == Self.majorVersion else {
      throw Malformed("is of version \(version) of the format; this vpatch reads version \(Self.majorVersion)")
    }
    flags = PatchFlags(rawValue: u64(16))
    let unknown = flags.subtracting(.known)
    guard unknown.isEmpty else {
      throw Malformed(
        "needs a feature that this vpatch does not support (\(unknown.names.joined(separator: ", ")) of its flags)")
    }
    guard bytes[10..<16].allSatisfy({ $0 == 0 }), u64(56) == 0 else {
      throw Malformed("has reserved bytes that are not zero")
    }
    isReadOnly = u64(24) != 0
    guard u64(40) <= UInt64(fileSize - Self.size), u64(48) <= UInt64(PatchHeader.maximumDecoded) else {
      throw Malformed(
        "is cut short, or declares a header of \(u64(40)) bytes stored and \(u64(48)) decoded", isDamage: true)
    }
    headerStored = Int(u64(40))
    headerDecoded = Int(u64(48))
    headerDigest = ContentDigest(bytes: bytes[64..<96])!
  }
}
