/// Parses the regular expressions that `Pattern` supports.
struct PatternParser {
  let text: [Unicode.Scalar]
  let syntax: PatternSyntax
  var position = 0
  private var depth = 0

  init(_ text: String, _ syntax: PatternSyntax) {
    self.text = Array(text.unicodeScalars)
    self.syntax = syntax
  }

  mutating func pattern() throws -> Pattern.Node {
    let node = try alternatives(ignoringCase: syntax == .name && skip("(?i)"))
    guard position == text.count else { throw PatternError("has an extra \")\"") }
    return node
  }

  var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

  mutating func skip(_ word: String) -> Bool {
    let scalars = Array(word.unicodeScalars)
    guard text[position...].starts(with: scalars) else { return false }
    position += scalars.count
    return true
  }

  mutating func next() throws -> Unicode.Scalar {
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
    // In Oniguruma {1,3}+ is a repetition of a repetition, and so is {1,3}? in some cases.
    if isCounted, mode != .greedy, syntax == .tokenizer {
      throw PatternError("\"?\" or \"+\" behind \"}\" is not supported")
    }
    if node.canBeEmpty { throw PatternError("a repetition of what may be empty is not supported") }
    guard try quantifier() == nil else { throw PatternError("repeats a repetition") }
    return .repetition(node, least, most, mode)
  }

  private mutating func quantifier() throws -> (least: Int, most: Int, isCounted: Bool)? {
    if skip("*") { return (0, .max, false) }
    if skip("+") { return (1, .max, false) }
    if skip("?") { return (0, 1, false) }
    guard skip("{") else { return nil }
    guard let least = number() ?? (syntax == .name && peek == "," ? 0 : nil) else {
      throw PatternError("a number is expected after \"{\"")
    }
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
      if syntax == .name, let anchor = anchor() { return .anchor(anchor) }
      let item = try escape()
      return .set(ScalarSet(try folded(item, ignoringCase)))
    case ".": return .set(syntax == .tokenizer ? .notLineFeed : .notNewline)
    case "$": return .anchor(syntax == .tokenizer ? .endOfLine : .endOfText)
    case "^" where syntax == .name: return .anchor(.startOfText)
    case "^", "*", "+", "?", "{": throw PatternError("\"\(scalar)\" is not supported here")
    default: return .set(ScalarSet(try folded(.range(scalar.value...scalar.value), ignoringCase)))
    }
  }

  /// Reads an anchor, behind its "\".
  private mutating func anchor() -> Pattern.Anchor? {
    if skip("A") { return .startOfText }
    return skip("z") ? .endOfText : nil
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
    } else if syntax == .name, let length = nameLength {
      // The text of a group is never needed.
      position += length
    } else if peek == "?" {
      throw PatternError(
        "a group that starts with \"(?\(position + 1 < text.count ? String(text[position + 1]) : "")\" is not supported"
      )
    }
    let inner = try alternatives(ignoringCase: ignoringCase)
    guard skip(")") else { throw PatternError("lacks a \")\"") }
    return look.map { .lookAhead(inner, negative: $0) } ?? inner
  }

  /// The length of "?<name>" or "?P<name>", if that comes next.
  private var nameLength: Int? {
    let rest = text[position...]
    let prefix = rest.starts(with: ["?", "P", "<"]) ? 3 : rest.starts(with: ["?", "<"]) ? 2 : nil
    guard let prefix, let end = rest.firstIndex(of: ">") else { return nil }
    let name = rest[(position + prefix)..<end]
    guard let first = name.first, first.properties.isAlphabetic || first == "_",
      name.allSatisfy({ $0.properties.isAlphabetic || $0 == "_" || $0.properties.numericType == .decimal })
    else { return nil }
    return end + 1 - position
  }
}
