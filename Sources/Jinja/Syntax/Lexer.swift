/// Splits a template into tokens, as Jinja2 3.1.6 does with `trim_blocks` and `lstrip_blocks` and without
/// `keep_trailing_newline`:
///
/// - `\r\n` and `\r` become `\n`; one `\n` at the template's end is dropped.
/// - After a block or a comment one `\n` is dropped. So are blanks between the start of a line and a block or comment.
/// - `-` next to a tag's delimiter drops all white space on that side; `+` keeps white space that would be dropped.
struct Lexer {
  static let operators = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
  ]

  let source: [Unicode.Scalar]
  var position = 0
  var line = 1
  var tokens: [Token] = []
  /// Whether the last token ended with a line feed, or is the first.
  var startsLine = true

  init(_ template: String) {
    var source: [Unicode.Scalar] = []
    source.reserveCapacity(template.utf8.count)
    var last: Unicode.Scalar = " "
    for scalar in template.unicodeScalars {
      if scalar == "\r" {
        source.append("\n")
      } else if scalar != "\n" || last != "\r" {
        source.append(scalar)
      }
      last = scalar
    }
    if source.last == "\n" { source.removeLast() }
    self.source = source
  }

  static func tokens(of template: String) throws(TemplateError) -> [Token] {
    var lexer = Lexer(template)
    while lexer.position < lexer.source.count { try lexer.textAndTag() }
    lexer.add(.end)
    return lexer.tokens
  }

  func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    position + offset < source.count ? source[position + offset] : nil
  }

  func isAt(_ text: String, _ offset: Int = 0) -> Bool {
    var at = position + offset
    for scalar in text.unicodeScalars {
      guard at < source.count, source[at] == scalar else { return false }
      at += 1
    }
    return true
  }

  mutating func add(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

  /// Advances by this many code points, counting lines.
  mutating func skip(_ count: Int) {
    for scalar in source[position..<position + count] where scalar == "\n" { line += 1 }
    position += count
    if count > 0 { startsLine = source[position - 1] == "\n" }
  }

  mutating func skipSpace() {
    var count = 0
    while let scalar = peek(count), scalar.isPythonSpace { count += 1 }
    skip(count)
  }

  func syntax(_ reason: String) -> TemplateError { .syntax(line: line, reason: reason) }
  func unsupported(_ reason: String) -> TemplateError { .unsupported(line: line, reason: reason) }

  // MARK: Outside of tags

  private enum Opening { case variable, block, comment }

  /// Reads text up to the next tag, and that tag.
  private mutating func textAndTag() throws(TemplateError) {
    var end = position
    while end < source.count {
      if source[end] == "{", end + 1 < source.count, "{%#".unicodeScalars.contains(source[end + 1]) { break }
      end += 1
    }
    guard end < source.count else {
      data(source[position...])
      return skip(end - position)
    }
    let opening: Opening = source[end + 1] == "{" ? .variable : source[end + 1] == "%" ? .block : .comment
    text(upTo: end, before: opening)
    skip(2)
    let isMarked = peek() == "-" || peek() == "+"
    switch opening {
    case .comment:
      skip(isMarked ? 1 : 0)
      try comment()
    case .variable:
      skip(isMarked ? 1 : 0)
      add(.variableBegin)
      try tag(isBlock: false)
    case .block:
      skip(isMarked ? 1 : 0)
      if let length = rawTag("raw") {
        skip(length)
        return try raw()
      }
      add(.blockBegin)
      try tag(isBlock: true)
    }
  }

  /// Text before a tag that begins at `end`, without white space that is stripped.
  private mutating func text(upTo end: Int, before opening: Opening) {
    var kept = source[position..<end]
    let mark = end + 2 < source.count ? source[end + 2] : nil
    if mark == "-" {
      while let last = kept.last, last.isPythonSpace { kept.removeLast() }
    } else if mark != "+", opening != .variable {
      let begin = kept.lastIndex(of: "\n").map { $0 + 1 } ?? kept.startIndex
      if begin > kept.startIndex || startsLine, kept[begin...].allSatisfy(\.isPythonSpace) { kept = kept[..<begin] }
    }
    data(kept)
    skip(end - position)
  }

  private mutating func data(_ scalars: ArraySlice<Unicode.Scalar>) {
    if !scalars.isEmpty { add(.data(PythonText(scalars))) }
  }

  /// After "{#" and its modifier.
  private mutating func comment() throws(TemplateError) {
    guard position < source.count else { return }
    while !isAt("#}") {
      guard position < source.count else { throw syntax("unterminated comment") }
      if peek() == "-" || peek() == "+", isAt("#}", 1) { break }
      skip(1)
    }
    close("#}")
  }

  /// At the end of a block or a comment: reads past it and the white space that it drops.
  mutating func close(_ end: String) {
    let mark = peek()
    skip(isAt(end) ? 2 : 3)
    if mark == "-" {
      skipSpace()
    } else if mark != "+", peek() == "\n" {
      skip(1)
    }
  }

  // MARK: Raw blocks

  /// Length of the rest of a `raw` or `endraw` tag, up to its end, without white space that it drops.
  private func rawTag(_ name: String) -> Int? {
    var at = 0
    while let scalar = peek(at), scalar.isPythonSpace { at += 1 }
    guard isAt(name, at) else { return nil }
    at += name.utf8.count
    while let scalar = peek(at), scalar.isPythonSpace { at += 1 }
    if name == "endraw" { return isAt("%}", at) || isAt("-%}", at) || isAt("+%}", at) ? at : nil }
    if isAt("%}", at) { return at + 2 }
    guard isAt("-%}", at) else { return nil }
    at += 3
    while let scalar = peek(at), scalar.isPythonSpace { at += 1 }
    return at
  }

  /// After `{% raw %}`.
  private mutating func raw() throws(TemplateError) {
    guard position < source.count else { return }
    var end = self
    while true {
      guard end.position < source.count else { throw syntax("unterminated raw block") }
      if end.isAt("{%") {
        var inside = end
        inside.skip(2)
        if inside.peek() == "-" || inside.peek() == "+" { inside.skip(1) }
        if let length = inside.rawTag("endraw") {
          text(upTo: end.position, before: .block)
          skip(inside.position + length - position)
          return close("%}")
        }
      }
      end.skip(1)
    }
  }
}
