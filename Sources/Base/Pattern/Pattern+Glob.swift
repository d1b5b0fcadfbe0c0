extension Pattern {
  /// A shell pattern (glob) that must match the whole name: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of a
  /// class. `\` escapes the next character. A `[` without `]` is an ordinary character.
  /// - Throws: `PatternError` for what is not supported.
  package init(glob: String) throws {
    let text = Array(glob.unicodeScalars)
    var nodes: [Node] = []
    var position = 0
    while position < text.count {
      let scalar = text[position]
      position += 1
      switch scalar {
      case "*": if nodes.last != Self.anything { nodes.append(Self.anything) }
      case "?": nodes.append(.set(.all))
      case "[": nodes.append(try Self.globClass(text, &position) ?? Self.one(scalar))
      case "\\" where position < text.count:
        nodes.append(Self.one(text[position]))
        position += 1
      default: nodes.append(Self.one(scalar))
      }
    }
    try self.init(ofWholeTexts: .sequence(nodes), maximumSize: PatternSyntax.name.maximumSize)
  }

  private static let anything = Node.repetition(.set(.all), 0, .max, .greedy)

  private static func one(_ scalar: Unicode.Scalar) -> Node { .set(ScalarSet([.range(scalar.value...scalar.value)])) }

  /// Reads a class, behind its `[`; nil, with nothing read, where there is no `]`.
  private static func globClass(_ text: [Unicode.Scalar], _ position: inout Int) throws -> Node? {
    var rest = text[position...]
    let isNegated = rest.first == "!" || rest.first == "^"
    if isNegated { rest.removeFirst() }
    // The first character belongs to the class, even "]".
    guard let end = rest.dropFirst().firstIndex(of: "]") else { return nil }
    var items: [ScalarSet.Item] = []
    var members = rest[..<end]
    while let first = members.popFirst() {
      if first == "[", let next = members.first, [":", ".", "="].contains(next) {
        throw PatternError("a class inside a class is not supported")
      }
      guard first != "\\" else { throw PatternError("\"\\\" inside a class is not supported") }
      var last = first
      if members.first == "-", members.count > 1 {
        members.removeFirst()
        last = members.removeFirst()
      }
      guard first.value <= last.value else { throw PatternError("a class has an invalid range") }
      items.append(.range(first.value...last.value))
    }
    position = end + 1
    return .set(ScalarSet(items, negated: isNegated))
  }
}
