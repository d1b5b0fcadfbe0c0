extension PatternParser {
  /// Reads a class, behind its "[".
  mutating func set(_ ignoringCase: Bool) throws -> ScalarSet {
    let isNegated = skip("^")
    var items: [ScalarSet.Item] = []
    if peek == "]" { throw PatternError("an empty class is not supported") }
    while !skip("]") {
      let rest = text[position...]
      if peek == "[" || rest.starts(with: ["&", "&"])
        || syntax == .name && (rest.starts(with: ["-", "-"]) || rest.starts(with: ["~", "~"]))
      {
        throw PatternError("a class inside a class is not supported")
      }
      let scalar = try next()
      var item = scalar == "\\" ? try escape() : .range(scalar.value...scalar.value)
      if case .range(let first) = item, peek == "-", position + 1 < text.count, text[position + 1] != "]" {
        position += 1
        let scalar = try next()
        guard case .range(let last) = scalar == "\\" ? try escape() : .range(scalar.value...scalar.value),
          scalar != "[", first.lowerBound <= last.lowerBound
        else { throw PatternError("a class has an invalid range") }
        item = .range(first.lowerBound...last.lowerBound)
      }
      items += try folded(item, ignoringCase)
    }
    return ScalarSet(items, negated: isNegated)
  }

  /// Reads an escape, behind its "\".
  mutating func escape() throws -> ScalarSet.Item {
    func one(_ value: UInt32) -> ScalarSet.Item { .range(value...value) }
    let scalar = try next()
    switch scalar {
    case "n": return one(10)
    case "r": return one(13)
    case "t": return one(9)
    case "f": return one(12)
    case "v": return one(11)
    case "s" where syntax == .tokenizer: return .whitespace
    case "S" where syntax == .tokenizer: return .notWhitespace
    case "d" where syntax == .tokenizer: return .categories(ScalarSet.categories(named: "Nd")!)
    case "s", "S", "d", "D", "w", "W":
      guard syntax == .name else { break }
      return .ascii(ScalarSet.asciiClasses[scalar.properties.lowercaseMapping]!, negated: scalar.value < 0x61)
    case "a" where syntax == .name: return one(7)
    case "e" where syntax == .name: return one(27)
    case "x", "u":
      guard syntax == .name else { break }
      return try one(hexadecimal(scalar == "x" ? 2 : 4))
    case "p", "P":
      guard skip("{"), let end = text[position...].firstIndex(of: "}") else {
        throw PatternError("\"\\\(scalar)\" lacks its {…}")
      }
      var name = String(String.UnicodeScalarView(text[position..<end]))
      position = end + 1
      let isNegated = (name.first == "^") != (scalar == "P")
      if name.first == "^" { name.removeFirst() }
      guard let mask = ScalarSet.categories(named: name) else {
        throw PatternError("\"\\\(scalar){\(name)}\" is not supported (general categories are)")
      }
      return .categories(isNegated ? ~mask : mask)
    case "a"..."z", "A"..."Z", "0"..."9": break
    default: return one(scalar.value)
    }
    throw PatternError("\"\\\(scalar)\" is not supported")
  }

  /// Reads `count` hexadecimal digits, or any number of them in braces.
  private mutating func hexadecimal(_ count: Int) throws -> UInt32 {
    var digits = text[position...].prefix(count)
    if skip("{") {
      digits = text[position...].prefix(8).prefix { $0 != "}" }
      position += 1
    }
    position += digits.count
    let text = String(String.UnicodeScalarView(digits))
    guard !digits.isEmpty, position <= self.text.count, self.text[position - 1] == "}" || digits.count == count,
      text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }), let value = UInt32(text, radix: 16),
      Unicode.Scalar(value) != nil
    else { throw PatternError("has an invalid character number") }
    return value
  }

  /// The characters that match when case is ignored. Only for ASCII letters, with the two other characters that fold to
  /// one.
  func folded(_ item: ScalarSet.Item, _ ignoringCase: Bool) throws -> [ScalarSet.Item] {
    guard ignoringCase else { return [item] }
    if case .ascii = item { return [item] }
    guard case .range(let range) = item, range.upperBound < 128 else {
      throw PatternError("case is ignored for more than ASCII characters, which is not supported")
    }
    var items = [item]
    for value in range {
      let (lower, upper) = (value | 0x20, value & ~0x20)
      guard (97...122).contains(lower) else { continue }
      items += [.range(lower...lower), .range(upper...upper)]
      if lower == 0x73 { items.append(.range(0x17F...0x17F)) }
      if lower == 0x6B { items.append(.range(0x212A...0x212A)) }
    }
    return items
  }
}
