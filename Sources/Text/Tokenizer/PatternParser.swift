/// Reads the regular expressions that `Pattern` can match.
struct PatternParser {
  private let text: [Unicode.Scalar]
  private var position = 0
  private var depth = 0

  init(_ text: String) { self.text = Array(text.unicodeScalars) }

  mutating func pattern() throws -> Pattern.Node {
    let node = try alternatives(ignoringCase: false)
    guard position == text.count else { throw PatternError("has a \")\" too many") }
    return node
  }

  private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

  private mutating func skip(_ word: String) -> Bool {
    let scalars = Array(word.unicodeScalars)
    guard text[position...].starts(with: scalars) else { return false }
    position += scalars.count
    return true
  }

  private mutating func next() throws -> Unicode.Scalar {
    guard let scalar = peek else { throw PatternError("ends too early") }
    position += 1
    return scalar
  }

  private mutating func alternatives(ignoringCase: Bool) throws -> Pattern.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth < 32 else { throw PatternError("is nested too deeply") }
    var choices: [Pattern.Node] = []
    repeat {
      var sequence: [Pattern.Node] = []
      while let scalar = peek, scalar != "|", scalar != ")" { sequence.append(try term(ignoringCase)) }
      choices.append(sequence.count == 1 ? sequence[0] : .sequence(sequence))
    } while skip("|")
    return choices.count == 1 ? choices[0] : .alternatives(choices)
  }

  private mutating func term(_ ignoringCase: Bool) throws -> Pattern.Node {
    let node = try atom(ignoringCase)
    guard let (least, most, isCounted) = try quantifier() else { return node }
    var mode = Pattern.Mode.greedy
    if skip("?") {
      mode = .lazy
    } else if skip("+") {
      mode = .possessive
    }
    // To Oniguruma {1,3}+ is a repetition of a repetition, and {1,3}? sometimes too.
    if isCounted, mode != .greedy { throw PatternError("\"?\" or \"+\" behind \"}\" is not supported") }
    if node.minimumLength == 0 { throw PatternError("a repetition of what may be empty is not supported") }
    guard try quantifier() == nil else { throw PatternError("repeats a repetition") }
    return .repetition(node, least, most, mode)
  }

  private mutating func quantifier() throws -> (least: Int, most: Int, isCounted: Bool)? {
    if skip("*") { return (0, .max, false) }
    if skip("+") { return (1, .max, false) }
    if skip("?") { return (0, 1, false) }
    guard skip("{") else { return nil }
    guard let least = number() else { throw PatternError("a number is expected after \"{\"") }
    var most = least
    if skip(",") { most = number() ?? .max }
    guard skip("}"), least <= most, most == .max || most <= 1000, least <= 1000 else {
      throw PatternError("\"{…}\" is not a range of counts up to 1000")
    }
    return (least, most, true)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = peek, ("0"..."9").contains(scalar), value ?? 0 < 10_000 {
      value = (value ?? 0) * 10 + Int(scalar.value - 48)
      position += 1
    }
    return value
  }

  private mutating func atom(_ ignoringCase: Bool) throws -> Pattern.Node {
    let scalar = try next()
    switch scalar {
    case "(": return try group(ignoringCase)
    case "[": return .set(try set(ignoringCase))
    case "\\":
      let item = try escape()
      return .set(ScalarSet(try folded(item, ignoringCase)))
    case ".": return .set(ScalarSet([.range(10...10)], negated: true))
    case "$": return .endOfLine
    case "^", "*", "+", "?", "{": throw PatternError("\"\(scalar)\" is not supported here")
    default: return .set(ScalarSet(try folded(.range(scalar.value...scalar.value), ignoringCase)))
    }
  }

  private mutating func group(_ ignoringCase: Bool) throws -> Pattern.Node {
    var ignoringCase = ignoringCase
    var look: Bool?
    if skip("?:") {
    } else if skip("?i:") {
      ignoringCase = true
    } else if skip("?!") {
      look = true
    } else if skip("?=") {
      look = false
    } else if peek == "?" {
      throw PatternError(
        "a group that starts with \"(?\(position + 1 < text.count ? String(text[position + 1]) : "")\" is not supported"
      )
    }
    let inner = try alternatives(ignoringCase: ignoringCase)
    guard skip(")") else { throw PatternError("lacks a \")\"") }
    return look.map { .lookAhead(inner, negative: $0) } ?? inner
  }

  /// Behind "[".
  private mutating func set(_ ignoringCase: Bool) throws -> ScalarSet {
    let isNegated = skip("^")
    var items: [ScalarSet.Item] = []
    if peek == "]" { throw PatternError("an empty class is not supported") }
    while !skip("]") {
      if peek == "[" || text[position...].starts(with: ["&", "&"]) {
        throw PatternError("a class inside a class is not supported")
      }
      let scalar = try next()
      var item = scalar == "\\" ? try escape() : .range(scalar.value...scalar.value)
      if case .range(let first) = item, peek == "-", position + 1 < text.count, text[position + 1] != "]" {
        position += 1
        let scalar = try next()
        guard case .range(let last) = scalar == "\\" ? try escape() : .range(scalar.value...scalar.value),
          scalar != "[", first.lowerBound <= last.lowerBound
        else { throw PatternError("a class has a range that is none") }
        item = .range(first.lowerBound...last.lowerBound)
      }
      items += try folded(item, ignoringCase)
    }
    return ScalarSet(items, negated: isNegated)
  }

  /// Behind "\".
  private mutating func escape() throws -> ScalarSet.Item {
    func one(_ value: UInt32) -> ScalarSet.Item { .range(value...value) }
    let scalar = try next()
    switch scalar {
    case "n": return one(10)
    case "r": return one(13)
    case "t": return one(9)
    case "f": return one(12)
    case "v": return one(11)
    case "s": return .whitespace
    case "S": return .notWhitespace
    case "d": return .categories(ScalarSet.categories(named: "Nd")!)
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
    case "a"..."z", "A"..."Z", "0"..."9": throw PatternError("\"\\\(scalar)\" is not supported")
    default: return one(scalar.value)
    }
  }

  /// What also matches where case is ignored: for letters of ASCII alone, with the two others that fold to one.
  private func folded(_ item: ScalarSet.Item, _ ignoringCase: Bool) throws -> [ScalarSet.Item] {
    guard ignoringCase else { return [item] }
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
