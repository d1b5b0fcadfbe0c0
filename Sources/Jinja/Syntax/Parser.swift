/// Parses tokens into statements, with the grammar of Jinja2 3.1.6 and the tags `generation`, `break` and `continue`.
struct Parser {
  private let tokens: [Token]
  private var position = 0
  private(set) var nameCount = 0
  private(set) var scopeCount = 1
  private var depth = 0
  private var links = 0
  /// Number of enclosing `for` blocks in the same function; CPython compiles up to 20.
  var loops = 0
  private(set) var hasGeneration = false

  init(_ template: String) throws(TemplateError) {
    tokens = try Lexer.tokens(of: template)
  }

  var current: Token { tokens[position] }
  var line: Int { current.line }
  /// The token after the current one.
  var following: Token { tokens[min(position + 1, tokens.count - 1)] }

  mutating func next() -> Token {
    let token = tokens[position]
    if position + 1 < tokens.count { position += 1 }
    return token
  }

  // MARK: Tokens

  func isOperator(_ op: String) -> Bool { current.kind == .op(op) }
  func isWord(_ name: String) -> Bool { current.kind == .name(name) }

  mutating func skip(operator op: String) -> Bool {
    guard isOperator(op) else { return false }
    _ = next()
    return true
  }

  mutating func skip(word name: String) -> Bool {
    guard isWord(name) else { return false }
    _ = next()
    return true
  }

  mutating func expect(_ kind: Token.Kind) throws(TemplateError) {
    guard current.kind == kind else {
      let wanted = Token(kind: kind, line: line).words
      throw syntax("expected \(wanted), found \(current.words)")
    }
    _ = next()
  }

  mutating func expectName() throws(TemplateError) -> String {
    guard case .name(let name) = current.kind else { throw syntax("expected a name, found \(current.words)") }
    _ = next()
    return name
  }

  func syntax(_ reason: String) -> TemplateError { .syntax(line: line, reason: reason) }
  func unsupported(_ reason: String) -> TemplateError { .unsupported(line: line, reason: reason) }

  // MARK: Counting

  mutating func newName(_ text: String, _ use: Name.Use, line: Int) throws(TemplateError) -> Name {
    // Jinja2's object of this name (with blocks) is not supported.
    if text == "self" { throw unsupported("the name 'self'") }
    nameCount += 1
    return Name(text: text, use: use, id: nameCount - 1, line: line)
  }

  mutating func newScope() -> Int {
    scopeCount += 1
    return scopeCount - 1
  }

  /// Parses something that may contain itself.
  mutating func nested<Result>(
    _ parse: (inout Parser) throws(TemplateError) -> Result
  ) throws(TemplateError) -> Result {
    guard depth < Limits.syntaxDepth else { throw .limit(reason: "more than \(depth) levels of nesting") }
    depth += 1
    defer { depth -= 1 }
    return try parse(&self)
  }

  /// Counts operations that make expression trees deeper without brackets: `a + b + c`.
  mutating func link() throws(TemplateError) {
    links += 1
    guard links <= Limits.links else { throw .limit(reason: "a statement of more than \(Limits.links) operations") }
  }

  // MARK: Blocks

  /// The whole template.
  mutating func template() throws(TemplateError) -> [Statement] { try statements(until: []) }

  /// From the end of a tag's last expression up to one of the tags that end it; stops at that tag's name.
  mutating func body(until ends: [String]) throws(TemplateError) -> [Statement] {
    _ = skip(operator: ":")
    try expect(.blockEnd)
    return try nested { (parser) throws(TemplateError) in try parser.statements(until: ends) }
  }

  /// The same, past the only tag that ends it.
  mutating func body(until end: String) throws(TemplateError) -> [Statement] {
    let body = try body(until: [end])
    _ = next()
    return body
  }

  private mutating func statements(until ends: [String]) throws(TemplateError) -> [Statement] {
    var result: [Statement] = []
    while true {
      links = 0
      switch current.kind {
      case .data(let text):
        _ = next()
        result.append(.text(text))
      case .variableBegin:
        let line = next().line
        result.append(.output(try tuple(), line: line))
        try expect(.variableEnd)
      case .blockBegin:
        _ = next()
        if case .name(let name) = current.kind, ends.contains(name) { return result }
        result += try statement()
        try expect(.blockEnd)
      default:
        guard ends.isEmpty else { throw syntax("the template ends before '\(ends.joined(separator: "' or '"))'") }
        return result
      }
    }
  }

  mutating func noteGeneration() { hasGeneration = true }
}
