extension Parser {
  /// At a tag's name; reads up to the tag's end.
  mutating func statement() throws(TemplateError) -> [Statement] {
    guard case .name(let tag) = current.kind else { throw syntax("expected a tag, found \(current.words)") }
    let line = next().line
    switch tag {
    case "for": return [try loop(line)]
    case "if": return [try conditional(line)]
    case "set": return [try set(line)]
    case "with": return [try with(line)]
    case "macro":
      let name = try newName(try expectName(), .store, line: line)
      return [.macro(name, try callable(end: "endmacro", hasParameters: true, line))]
    case "call": return [try callBlock(line)]
    case "filter":
      let scope = newScope()
      let filter = try filters(nil, begins: true)
      return [.filterBlock(filter: filter!, body: try body(until: "endfilter"), scope: scope, line: line)]
    case "generation":
      noteGeneration()
      return [.generation(try callable(end: "endgeneration", hasParameters: false, line))]
    case "print":
      var outputs: [Statement] = []
      while current.kind != .blockEnd {
        if !outputs.isEmpty { try expect(.op(",")) }
        outputs.append(.output(try expression(), line: line))
      }
      return outputs
    case "break", "continue":
      guard loops > 0 else { throw syntax("'\(tag)' outside a loop") }
      return [tag == "break" ? .breakLoop : .continueLoop]
    case "block", "extends", "include", "import", "from", "autoescape":
      throw .unsupported(line: line, reason: "the tag '\(tag)'")
    default: throw .syntax(line: line, reason: "unknown tag '\(tag)'")
    }
  }

  private mutating func loop(_ line: Int) throws(TemplateError) -> Statement {
    let target = try target(end: "in")
    try expect(.name("in"))
    let iterated = try tuple(conditional: false, end: "recursive")
    var test: Expression?
    if skip(word: "if") { test = try expression() }
    let isRecursive = skip(word: "recursive")
    let outer = loops
    loops = isRecursive ? 1 : loops + 1
    guard loops <= 20 else { throw syntax("more than 20 nested loops") }
    let body = try body(until: ["endfor", "else"])
    // The `else` part is outside the loop.
    loops = isRecursive ? 0 : outer
    let otherwise = next().kind == .name("else") ? try self.body(until: "endfor") : []
    loops = outer
    return .loop(
      Loop(
        target: target, testTarget: try copy(target), iterated: iterated, test: test, body: body, otherwise: otherwise,
        isRecursive: isRecursive, scope: newScope(), testScope: newScope(), otherwiseScope: newScope(), line: line))
  }

  private mutating func copy(_ target: Target) throws(TemplateError) -> Target {
    switch target {
    case .name(let name): return .name(try newName(name.text, name.use, line: name.line))
    case .attribute: return target
    case .tuple(let targets):
      var copies: [Target] = []
      for target in targets { copies.append(try copy(target)) }
      return .tuple(copies)
    }
  }

  private mutating func conditional(_ line: Int) throws(TemplateError) -> Statement {
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(conditional: false)
      branches.append((test, try body(until: ["elif", "else", "endif"])))
      switch next().kind {
      case .name("elif"): continue
      case .name("else"): return .conditional(branches, otherwise: try body(until: "endif"), line: line)
      default: return .conditional(branches, otherwise: [], line: line)
      }
    }
  }

  private mutating func set(_ line: Int) throws(TemplateError) -> Statement {
    let target = try target(hasAttributes: true)
    if skip(operator: "=") { return .set(target, try tuple(), line: line) }
    let scope = newScope()
    let filter = try filters(nil)
    return .setBlock(target, filter: filter, body: try body(until: "endset"), scope: scope, line: line)
  }

  private mutating func with(_ line: Int) throws(TemplateError) -> Statement {
    let scope = newScope()
    var values: [(target: Target, value: Expression)] = []
    while current.kind != .blockEnd {
      if !values.isEmpty { try expect(.op(",")) }
      let target = try target(use: .parameter)
      try expect(.op("="))
      values.append((target, try expression()))
    }
    return .with(values, body: try body(until: "endwith"), scope: scope, line: line)
  }

  private mutating func callBlock(_ line: Int) throws(TemplateError) -> Statement {
    var callable = Callable(parameters: [], defaults: [], body: [], scope: newScope(), line: line)
    if isOperator("(") { try parameters(&callable) }
    let call = try expression()
    guard case .call = call else { throw .syntax(line: line, reason: "expected a call after 'call'") }
    try functionBody(&callable, end: "endcall")
    return .callBlock(call: call, callable)
  }

  private mutating func callable(end: String, hasParameters: Bool, _ line: Int) throws(TemplateError) -> Callable {
    var callable = Callable(parameters: [], defaults: [], body: [], scope: newScope(), line: line)
    if hasParameters { try parameters(&callable) }
    try functionBody(&callable, end: end)
    return callable
  }

  private mutating func functionBody(_ callable: inout Callable, end: String) throws(TemplateError) {
    let outer = loops
    loops = 0
    callable.body = try body(until: end)
    loops = outer
  }

  private mutating func parameters(_ callable: inout Callable) throws(TemplateError) {
    try expect(.op("("))
    while !isOperator(")") {
      if !callable.parameters.isEmpty { try expect(.op(",")) }
      let line = line
      let name = try newName(try expectName(), .parameter, line: line)
      guard !callable.parameters.contains(where: { $0.text == name.text }) else {
        throw syntax("two parameters '\(name.text)'")
      }
      try requireAssignable(name)
      if skip(operator: "=") {
        callable.defaults.append(try expression())
      } else if !callable.defaults.isEmpty {
        throw syntax("a parameter without a default after one with a default")
      }
      callable.parameters.append(name)
    }
    try expect(.op(")"))
  }

  // MARK: Targets of assignments

  /// Names and tuples of names, up to a word if there is one.
  private mutating func target(
    use: Name.Use = .store, end: String? = nil, hasAttributes: Bool = false
  ) throws(TemplateError) -> Target {
    var targets: [Target] = []
    var isTuple = false
    while true {
      if !targets.isEmpty { try expect(.op(",")) }
      if isTupleEnd(end) { break }
      targets.append(try primaryTarget(use, hasAttributes))
      guard isOperator(",") else { break }
      isTuple = true
    }
    if !isTuple, let only = targets.first { return only }
    guard isTuple else { throw syntax("expected a name, found \(current.words)") }
    return .tuple(targets)
  }

  private mutating func primaryTarget(_ use: Name.Use, _ hasAttributes: Bool) throws(TemplateError) -> Target {
    if isOperator("(") {
      return try nested { (parser) throws(TemplateError) in
        _ = parser.next()
        if parser.isOperator(")") {
          _ = parser.next()
          return .tuple([])
        }
        // Jinja2 reads an expression here; an attribute in it is not a target.
        let target = try parser.target(use: use)
        try parser.expect(.op(")"))
        return target
      }
    }
    let line = line
    let text = try expectName()
    if hasAttributes, isOperator("."), !Parser.constants.contains(text) {
      _ = next()
      return .attribute(try newName(text, .load, line: line), PythonText(try expectName()))
    }
    let name = try newName(text, use, line: line)
    try requireAssignable(name)
    return .name(name)
  }

  private static let constants = ["true", "false", "none", "True", "False", "None"]

  private func requireAssignable(_ name: Name) throws(TemplateError) {
    if Parser.constants.contains(name.text) { throw syntax("'\(name.text)' cannot be assigned to") }
  }
}
