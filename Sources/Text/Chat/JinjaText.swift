/// A Jinja template with what does not matter to its meaning taken out, so that templates can be compared piece by piece.
///
/// Outside of string literals: no comments, no white space, `message['role']` for `message.role`. Literals in single quotes, their
/// escapes carried out, those that are added to each other joined.
struct JinjaText {
  let compact: String
  /// What the string literals hold.
  let literals: [String]

  init(_ template: String) {
    var (compact, literals): (String.UnicodeScalarView, [String]) = (.init(), [])
    var rest = Array(template.unicodeScalars)[...]
    /// Whether the last thing but one was a literal and the last a "+".
    func joins() -> Bool { compact.suffix(2).elementsEqual(["'", "+"]) && endsInLiteral }
    var endsInLiteral = false
    while let scalar = rest.popFirst() {
      if scalar == "{", rest.first == "#" {
        Self.skipComment(&rest)
      } else if scalar == "\"" || scalar == "'" {
        let literal = Self.literal(&rest, scalar)
        if joins() {
          compact.removeLast(2)
          literals.append(literals.removeLast() + literal)
        } else {
          compact.append("'")
          literals.append(literal)
        }
        compact.append(contentsOf: literal.unicodeScalars)
        compact.append("'")
        endsInLiteral = true
      } else if !scalar.properties.isWhitespace {
        if scalar != "+" { endsInLiteral = false }
        compact.append(scalar)
      }
    }
    var text = String(compact)
    for key in ["role", "content"] {
      text = text.replacing("message.\(key)", with: "message['\(key)']")
    }
    self.compact = text
    self.literals = literals
  }

  func contains(_ piece: String) -> Bool { compact.contains(piece) }

  /// Behind "{"; past "#}".
  private static func skipComment(_ rest: inout ArraySlice<Unicode.Scalar>) {
    while rest.popFirst() != nil, !rest.starts(with: ["#", "}"]) {}
    rest = rest.dropFirst(2)
  }

  /// Behind the quote; past the one that ends it.
  private static func literal(_ rest: inout ArraySlice<Unicode.Scalar>, _ quote: Unicode.Scalar) -> String {
    var text = String.UnicodeScalarView()
    while let scalar = rest.popFirst(), scalar != quote {
      guard scalar == "\\", let escaped = rest.popFirst() else {
        text.append(scalar)
        continue
      }
      switch escaped {
      case "n": text.append("\n")
      case "t": text.append("\t")
      case "r": text.append("\r")
      case "\\", "'", "\"": text.append(escaped)
      default: text.append(contentsOf: [scalar, escaped])
      }
    }
    return String(text)
  }
}
