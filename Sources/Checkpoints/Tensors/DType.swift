/// A tensor's element type, by its name in safetensors files. An unknown dtype is handled as bytes.
package struct DType: Hashable, Sendable, CustomStringConvertible {
  package let name: String

  /// Nil for a name that fingerprints do not allow. Allowed are 1 to 32 of `A–Z a–z 0–9 _`.
  package init?(_ name: String) {
    guard (1...32).contains(name.utf8.count), name.utf8.allSatisfy(Self.isAllowed) else { return nil }
    self.name = name
  }

  private static func isAllowed(_ c: UInt8) -> Bool {
    switch c {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  package var description: String { name }

  package static let f64 = DType("F64")!
  package static let f32 = DType("F32")!
  package static let f16 = DType("F16")!
  package static let bf16 = DType("BF16")!

  /// The element format that the patch format uses for this dtype (spec, section 4).
  package var element: ElementFormat { Self.known[name] ?? .bytes }

  /// Whether a tensor's length follows from its shape.
  package var isKnown: Bool { Self.known[name] != nil }

  /// Bits per element as in safetensors 0.8; 8 for an unknown dtype. The patch format handles a dtype that is not in
  /// its table as bytes, whatever their meaning.
  package var bitsPerElement: Int { isKnown ? element.width * 8 : Self.otherBits[name] ?? 8 }

  /// Dtypes of safetensors that are not in the patch format's table and whose elements do not have 8 bits.
  private static let otherBits = ["F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64]

  private static let known: [String: ElementFormat] = [
    "F64": ElementFormat(width: 8, isFloat: true),
    "F32": ElementFormat(width: 4, isFloat: true, exponentShift: 23, exponentBits: 8),
    "F16": ElementFormat(width: 2, isFloat: true, exponentShift: 10, exponentBits: 5),
    "BF16": ElementFormat(width: 2, isFloat: true, exponentShift: 7, exponentBits: 8),
    "F8_E5M2": ElementFormat(width: 1, isFloat: true, exponentShift: 2, exponentBits: 5),
    "F8_E4M3": ElementFormat(width: 1, isFloat: true, exponentShift: 3, exponentBits: 4),
    "I64": ElementFormat(width: 8), "U64": ElementFormat(width: 8),
    "I32": ElementFormat(width: 4), "U32": ElementFormat(width: 4),
    "I16": ElementFormat(width: 2), "U16": ElementFormat(width: 2),
    "I8": ElementFormat(width: 1), "U8": ElementFormat(width: 1), "BOOL": ElementFormat(width: 1),
  ]
}

/// The bit layout of an element, as far as differences depend on it.
package struct ElementFormat: Hashable, Sendable {
  /// Bytes per element.
  package let width: Int
  package let isFloat: Bool
  /// The lowest bit of the exponent, and its length in bits; zero where the ulp coder does not apply.
  package let exponentShift: Int
  package let exponentBits: Int

  package init(width: Int, isFloat: Bool = false, exponentShift: Int = 0, exponentBits: Int = 0) {
    self.width = width
    self.isFloat = isFloat
    self.exponentShift = exponentShift
    self.exponentBits = exponentBits
  }

  /// Integers of one byte.
  package static let bytes = ElementFormat(width: 1)

  package var hasUlpCoder: Bool { exponentBits > 0 }
}
