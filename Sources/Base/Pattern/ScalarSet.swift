/// A set of characters, such as a regular expression's class.
package struct ScalarSet: Sendable, Equatable {
  enum Item: Sendable, Equatable {
    case range(ClosedRange<UInt32>)
    /// General categories, one bit for each.
    case categories(UInt32)
    case whitespace, notWhitespace
    /// ASCII characters, or all others.
    case ascii([ClosedRange<UInt32>], negated: Bool)
  }

  private let items: [Item]
  private let isNegated: Bool
  /// Membership of the first 128 characters.
  private let ascii: (UInt64, UInt64)

  init(_ items: [Item], negated: Bool = false) {
    self.items = items
    isNegated = negated
    var bits: (UInt64, UInt64) = (0, 0)
    for value in UInt32(0)..<128 where Self.has(items, Unicode.Scalar(UInt8(value))) != negated {
      if value < 64 { bits.0 |= 1 << value } else { bits.1 |= 1 << (value - 64) }
    }
    ascii = bits
  }

  package static func == (a: ScalarSet, b: ScalarSet) -> Bool { a.items == b.items && a.isNegated == b.isNegated }

  package func contains(_ scalar: Unicode.Scalar) -> Bool {
    let value = scalar.value
    if value < 64 { return ascii.0 >> value & 1 == 1 }
    if value < 128 { return ascii.1 >> (value - 64) & 1 == 1 }
    return Self.has(items, scalar) != isNegated
  }

  private static func has(_ items: [Item], _ scalar: Unicode.Scalar) -> Bool {
    for item in items {
      switch item {
      case .range(let range): if range.contains(scalar.value) { return true }
      case .categories(let mask): if mask >> scalar.categoryBit & 1 == 1 { return true }
      case .whitespace: if scalar.properties.isWhitespace { return true }
      case .notWhitespace: if !scalar.properties.isWhitespace { return true }
      case .ascii(let ranges, let negated):
        if ranges.contains(where: { $0.contains(scalar.value) }) != negated { return true }
      }
    }
    return false
  }

  /// Nd, Nl and No, as in Rust's `char::is_numeric`.
  package static let numeric = ScalarSet([
    .categories(categories(named: "N")!),
    // Rust's `char::is_numeric` has Unicode 17 in tokenizers 0.23.3; the library of the patterns has Unicode 16.
    .range(0x11DE0...0x11DE9), .range(0x16FF4...0x16FF6),
  ])

  static let all = ScalarSet([], negated: true)
  static let notLineFeed = ScalarSet([.range(10...10)], negated: true)
  /// All but line feed, vertical tab, form feed, carriage return, next line, line separator and paragraph separator.
  static let notNewline = ScalarSet([.range(10...13), .range(0x85...0x85), .range(0x2028...0x2029)], negated: true)

  /// The meaning of `\d`, `\s` and `\w` where they are ASCII.
  static let asciiClasses: [String: [ClosedRange<UInt32>]] = [
    "d": [0x30...0x39], "s": [9...13, 0x20...0x20], "w": [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A],
  ]

  /// The bits of a category ("Lu") or a group of categories ("L").
  static func categories(named name: String) -> UInt32? {
    let names = Unicode.GeneralCategory.names
    let mask = names.indices.reduce(UInt32(0)) { names[$1] == name || names[$1].prefix(1) == name ? $0 | 1 << $1 : $0 }
    return mask == 0 ? nil : mask
  }
}

extension Unicode.Scalar {
  /// The bit of its general category in Unicode 16, as Hugging Face has it. Newer characters count as unassigned, so
  /// that a newer Swift does not split text differently.
  fileprivate var categoryBit: UInt32 { value < 0x10000 ? UInt32(Self.basicPlane[Int(value)]) : computedCategoryBit }

  private static let basicPlane: [UInt8] = (0..<0x10000).map { value in
    UInt8(Unicode.Scalar(UInt32(value))?.computedCategoryBit ?? Unicode.GeneralCategory.surrogate.bit)
  }

  private var computedCategoryBit: UInt32 {
    let isYounger = properties.age.map { $0.major > 16 } ?? false
    return (isYounger ? .unassigned : properties.generalCategory).bit
  }
}

extension Unicode.GeneralCategory {
  /// In the order of `bit`.
  fileprivate static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  fileprivate var bit: UInt32 {
    switch self {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }
}
