/// A Jinja template with what does not matter to its meaning taken out, so that templates can be compared piece by piece.
///
/// Inside of tags: no white space but in string literals, no marks that strip the text around a tag,
/// `message['role']` for `message.role`. Literals in single quotes, their escapes carried out, those that are added to
/// each other joined. No comments, and none of the tags that say where answers are. Text outside of tags stands as a
/// literal that is put out (`{{'text'}}`), stripped as transformers has Jinja do it (`trim_blocks`, `lstrip_blocks`).
struct JinjaText {
  let compact: String
  /// What the string literals hold.
  let literals: [String]

  init(_ template: String) {
    var reader = Reader(template)
    reader.read()
    var text = String(reader.compact)
    for key in ["role", "content"] { text = text.replacing("message.\(key)", with: "message['\(key)']") }
    for key in ["type", "text"] { text = text.replacing("content.\(key)", with: "content['\(key)']") }
    for tag in ["{%generation%}", "{%endgeneration%}"] { text = text.replacing(tag, with: "") }
    compact = text
    literals = reader.literals
  }

  func contains(_ piece: String) -> Bool { compact.contains(piece) }
}

/// Goes through a template once.
private struct Reader {
  private(set) var compact = String.UnicodeScalarView()
  private(set) var literals: [String] = []
  private var rest: ArraySlice<Unicode.Scalar>
  /// What the last tag does to the text behind it.
  private var behind = Stripping.none
  private var startsLine = true

  private enum Stripping { case none, lineFeed, all }

  init(_ template: String) {
    rest = Array(template.unicodeScalars)[...]
    // Jinja drops one line feed at the end.
    if rest.last == "\n" { rest.removeLast() }
  }

  mutating func read() {
    while !rest.isEmpty {
      let data = rest
      let end = data.indices.first {
        $0 + 1 < data.endIndex && data[$0] == "{" && "{%#".unicodeScalars.contains(data[$0 + 1])
      }
      text(data[..<(end ?? data.endIndex)], before: end.map { data[$0...] } ?? [])
      guard let end else { return }
      rest = data[(end + 2)...]
      switch data[end + 1] {
      case "#": comment()
      case let kind: tag(kind)
      }
    }
  }

  /// Text up to a tag.
  private mutating func text(_ data: ArraySlice<Unicode.Scalar>, before tag: ArraySlice<Unicode.Scalar>) {
    var data = data
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
    switch behind {
    case .none: startsLine = compact.isEmpty
    case .lineFeed:
      startsLine = data.first == "\n"
      if startsLine { data.removeFirst() }
    case .all:
      startsLine = false
      data = data.drop(while: isSpace)
    }
    let mark = tag.dropFirst(2).first
    if mark == "-" {
      while let last = data.last, isSpace(last) { data.removeLast() }
    } else if mark != "+", tag.dropFirst().first != "{", !tag.isEmpty {
      // Blanks before a block that begins its line.
      let line = data.suffix(while: { $0 != "\n" })
      if line.allSatisfy({ $0 == " " || $0 == "\t" }), line.count < data.count || startsLine {
        data.removeLast(line.count)
      }
    }
    guard !data.isEmpty else { return }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: data)
    literals.append(String(view))
    compact.append(contentsOf: ["{", "{", "'"])
    compact.append(contentsOf: view)
    compact.append(contentsOf: ["'", "}", "}"])
  }

  /// Behind "{#"; past "#}".
  private mutating func comment() {
    var last: Unicode.Scalar?
    while !rest.isEmpty, !rest.starts(with: ["#", "}"]) { last = rest.popFirst() }
    rest = rest.dropFirst(2)
    behind = last == "-" ? .all : .lineFeed
  }

  /// Behind "{{" or "{%"; past what ends it.
  private mutating func tag(_ kind: Unicode.Scalar) {
    let isBlock = kind == "%"
    let close: [Unicode.Scalar] = [isBlock ? "%" : "}", "}"]
    compact.append(contentsOf: ["{", kind])
    if let mark = rest.first, mark == "-" || mark == "+" { rest.removeFirst() }
    behind = isBlock ? .lineFeed : .none
    /// Whether the last thing but one was a literal and the last a "+".
    func joins() -> Bool { compact.suffix(2).elementsEqual(["'", "+"]) && endsInLiteral }
    var endsInLiteral = false
    while !rest.isEmpty {
      if rest.starts(with: close) {
        rest = rest.dropFirst(2)
        break
      }
      if rest.first == "-" || rest.first == "+", rest.dropFirst().starts(with: close) {
        behind = rest.first == "-" ? .all : .none
        rest = rest.dropFirst(3)
        break
      }
      let scalar = rest.removeFirst()
      if scalar == "\"" || scalar == "'" {
        let literal = literal(scalar)
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
    compact.append(contentsOf: close)
  }

  /// Behind the quote; past the one that ends it.
  private mutating func literal(_ quote: Unicode.Scalar) -> String {
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

extension ArraySlice {
  /// The longest end of which all elements fulfil a condition.
  fileprivate func suffix(while condition: (Element) -> Bool) -> ArraySlice {
    var start = endIndex
    while start > startIndex, condition(self[start - 1]) { start -= 1 }
    return self[start...]
  }
}
