/// GPT-2's byte alphabet: a printable character for each byte, so that any text is a word over 256 characters.
///
/// Printable Latin-1 characters stand for themselves; the other bytes, in order, are U+0100 and up ("Ġ" is the space).
enum ByteLevel {
  static let scalars: [Unicode.Scalar] = {
    var other: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)!
      default:
        defer { other += 1 }
        return Unicode.Scalar(other)!
      }
    }
  }()

  private static let bytes: [UInt8?] = {
    var bytes = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = UInt8(byte) }
    return bytes
  }()

  static func byte(of scalar: Unicode.Scalar) -> UInt8? { scalar.value < 0x144 ? bytes[Int(scalar.value)] : nil }

  /// GPT-2's pre-tokenization pattern.
  static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
}
