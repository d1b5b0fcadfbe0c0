extension Parser {
  func isTupleEnd(_ end: String?) -> Bool {
    switch current.kind {
    case .variableEnd, .blockEnd, .op(")"): true
    case .name(let name): name == end
    default: false
    }
  }

  /// An expression, or several separated by commas.
  mutating func tuple(
    conditional: Bool = true, end: String? = nil, inParentheses: Bool = false
  ) throws(TemplateError) -> Expression {
    var items: [Expression] = []
    var isTuple = false
    while true {
      if !items.isEmpty { try expect(.op(",")) }
      if isTupleEnd(end) { break }
      items.append(try expression(conditional: conditional))
      guard isOperator(",") else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = items.first { return only }
      guard inParentheses else { throw syntax("expected an expression, found \(current.words)") }
    }
    return .tuple(items)
  }

  mutating func expression(conditional: Bool = true) throws(TemplateError) -> Expression {
    try nested { (parser) throws(TemplateError) in
      conditional ? try parser.inlineConditional() : try parser.or()
    }
  }

  private mutating func inlineConditional() throws(TemplateError) -> Expression {
    let line = line
    var result = try or()
    while skip(word: "if") {
      try link()
      let test = try or()
      let otherwise: Expression? = skip(word: "else") ? try expression() : nil
      result = .conditional(test: test, then: result, otherwise: otherwise, line: line)
    }
    return result
  }

  private mutating func or() throws(TemplateError) -> Expression {
    var left = try and()
    while skip(word: "or") {
      try link()
      left = .or(left, try and())
    }
    return left
  }

  private mutating func and() throws(TemplateError) -> Expression {
    var left = try not()
    while skip(word: "and") {
      try link()
      left = .and(left, try not())
    }
    return left
  }

  private mutating func not() throws(TemplateError) -> Expression {
    guard skip(word: "not") else { return try comparison() }
    return .not(try nested { (parser) throws(TemplateError) in try parser.not() })
  }

  private mutating func comparison() throws(TemplateError) -> Expression {
    let line = line
    let first = try sum()
    var operands: [(comparison: Comparison, operand: Expression)] = []
    while true {
      let comparison: Comparison
      if case .op(let op) = current.kind, let found = Comparison(rawValue: op) {
        _ = next()
        comparison = found
      } else if skip(word: "in") {
        comparison = .isIn
      } else if isWord("not"), following.kind == .name("in") {
        _ = next()
        _ = next()
        comparison = .isNotIn
      } else {
        break
      }
      operands.append((comparison, try sum()))
    }
    return operands.isEmpty ? first : .compare(first, operands, line: line)
  }

  private mutating func sum() throws(TemplateError) -> Expression {
    var left = try concatenation()
    while let op = arithmetic(["+", "-"]) {
      try link()
      left = .arithmetic(op, left, try concatenation(), line: line)
    }
    return left
  }

  private mutating func concatenation() throws(TemplateError) -> Expression {
    var parts = [try product()]
    while skip(operator: "~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : .concat(parts)
  }

  private mutating func product() throws(TemplateError) -> Expression {
    var left = try power()
    while let op = arithmetic(["*", "/", "//", "%"]) {
      try link()
      left = .arithmetic(op, left, try power(), line: line)
    }
    return left
  }

  private mutating func power() throws(TemplateError) -> Expression {
    var left = try unary(hasFilters: true)
    while isOperator("**") {
      // Jinja2 folds constants, and writes the minus sign of a negative one without brackets.
      try link()
      if left.isNegation { throw unsupported("a power of a negative number") }
      _ = next()
      left = .arithmetic(.power, left, try unary(hasFilters: true), line: line)
    }
    return left
  }

  private mutating func arithmetic(_ operators: [String]) -> Arithmetic? {
    guard case .op(let op) = current.kind, operators.contains(op) else { return nil }
    _ = next()
    return Arithmetic(rawValue: op)
  }

  private mutating func unary(hasFilters: Bool) throws(TemplateError) -> Expression {
    var value: Expression
    if skip(operator: "-") {
      value = .negative(try nested { (parser) throws(TemplateError) in try parser.unary(hasFilters: false) })
    } else if skip(operator: "+") {
      value = .positive(try nested { (parser) throws(TemplateError) in try parser.unary(hasFilters: false) })
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return hasFilters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws(TemplateError) -> Expression {
    let token = current
    switch token.kind {
    case .name(let text):
      _ = next()
      switch text {
      case "true", "True": return .constant(.bool(true))
      case "false", "False": return .constant(.bool(false))
      case "none", "None": return .constant(.none)
      default: return .name(try newName(text, .load, line: token.line))
      }
    case .string(var text):
      _ = next()
      while case .string(let more) = current.kind {
        text.append(more)
        _ = next()
      }
      return .constant(.string(text))
    case .integer(let n):
      _ = next()
      return .constant(.int(n))
    case .float(let x):
      _ = next()
      return .constant(.float(x))
    case .op("("):
      _ = next()
      let value = try tuple(inParentheses: true)
      try expect(.op(")"))
      return value
    case .op("["):
      _ = next()
      var items: [Expression] = []
      while !isOperator("]") {
        if !items.isEmpty {
          try expect(.op(","))
          if isOperator("]") { break }
        }
        items.append(try expression())
      }
      try expect(.op("]"))
      return .list(items)
    case .op("{"):
      _ = next()
      var members: [(key: Expression, value: Expression)] = []
      while !isOperator("}") {
        if !members.isEmpty {
          try expect(.op(","))
          if isOperator("}") { break }
        }
        let key = try expression()
        try expect(.op(":"))
        members.append((key, try expression()))
      }
      try expect(.op("}"))
      return .dict(members)
    default: throw syntax("unexpected \(token.words)")
    }
  }

  // MARK: After a value

  private mutating func postfix(_ value: Expression) throws(TemplateError) -> Expression {
    var value = value
    while true {
      try link()
      let line = line
      if skip(operator: ".") {
        switch next().kind {
        case .name(let name): value = .attribute(value, PythonText(name), line: line)
        case .integer(let n): value = .item(value, .constant(.int(n)), line: line)
        default: throw .syntax(line: line, reason: "expected a name or a number after '.'")
        }
      } else if skip(operator: "[") {
        value = .item(value, try subscripts(), line: line)
      } else if isOperator("(") {
        value = .call(value, try arguments(), line: line)
      } else {
        return value
      }
    }
  }

  private mutating func filtersAndTests(_ value: Expression) throws(TemplateError) -> Expression {
    var value = value
    while true {
      try link()
      if isOperator("|") {
        value = try filters(value)!
      } else if isWord("is") {
        value = try test(value)
      } else if isOperator("(") {
        let line = line
        value = .call(value, try arguments(), line: line)
      } else {
        return value
      }
    }
  }

  private mutating func subscripts() throws(TemplateError) -> Expression {
    var items: [Expression] = []
    while !isOperator("]") {
      if !items.isEmpty { try expect(.op(",")) }
      items.append(try subscribed())
    }
    try expect(.op("]"))
    if items.count == 1 { return items[0] }
    for case .slice in items { throw unsupported("a slice among several indices") }
    return .tuple(items)
  }

  private mutating func subscribed() throws(TemplateError) -> Expression {
    var start: Expression?
    if !isOperator(":") {
      let value = try expression()
      guard isOperator(":") else { return value }
      start = value
    }
    _ = next()
    func isEnd(_ parser: Parser) -> Bool { parser.isOperator("]") || parser.isOperator(",") }
    var stop: Expression?
    if !isOperator(":"), !isEnd(self) { stop = try expression() }
    var step: Expression?
    if skip(operator: ":"), !isEnd(self) { step = try expression() }
    return .slice(start: start, stop: stop, step: step)
  }

  private mutating func arguments() throws(TemplateError) -> CallArguments {
    try expect(.op("("))
    var result = CallArguments()
    var isFirst = true
    while !isOperator(")") {
      if !isFirst {
        try expect(.op(","))
        if isOperator(")") { break }
      }
      isFirst = false
      let invalid = syntax("arguments in an invalid order")
      if skip(operator: "*") {
        guard result.more == nil, result.moreNamed == nil else { throw invalid }
        result.more = try expression()
      } else if skip(operator: "**") {
        guard result.moreNamed == nil else { throw invalid }
        result.moreNamed = try expression()
      } else if case .name(let name) = current.kind, following.kind == .op("=") {
        guard result.moreNamed == nil else { throw invalid }
        guard !result.named.contains(where: { $0.name == name }) else { throw syntax("two arguments '\(name)'") }
        _ = next()
        _ = next()
        result.named.append((name, try expression()))
      } else {
        guard result.more == nil, result.moreNamed == nil, result.named.isEmpty else { throw invalid }
        result.positional.append(try expression())
      }
    }
    try expect(.op(")"))
    return result
  }

  /// `| name(…) | …`; with `begins`, the first one without its bar.
  mutating func filters(_ value: Expression?, begins: Bool = false) throws(TemplateError) -> Expression? {
    var value = value
    var begins = begins
    while begins || isOperator("|") {
      try link()
      if !begins { _ = next() }
      begins = false
      let line = line
      let name = try dottedName()
      let arguments = isOperator("(") ? try arguments() : CallArguments()
      value = .filter(value, name: name, arguments, line: line)
    }
    return value
  }

  private mutating func dottedName() throws(TemplateError) -> String {
    var name = try expectName()
    while skip(operator: ".") { name += "." + (try expectName()) }
    return name
  }

  /// At "is".
  private mutating func test(_ value: Expression) throws(TemplateError) -> Expression {
    let line = next().line
    let isNegated = skip(word: "not")
    let name = try dottedName()
    var arguments = CallArguments()
    let takesOne: Bool =
      switch current.kind {
      case .name(let name): !["else", "or", "and"].contains(name)
      case .string, .integer, .float, .op("["), .op("{"): true
      default: false
      }
    if isOperator("(") {
      arguments = try self.arguments()
    } else if takesOne {
      if isWord("is") { throw syntax("chained 'is' tests") }
      arguments.positional = [
        try nested { (parser) throws(TemplateError) in try parser.postfix(try parser.primary()) }
      ]
    }
    let test = Expression.test(value, name: name, arguments, line: line)
    return isNegated ? .not(test) : test
  }
}

extension Expression {
  /// Whether Jinja2 may fold it into a negative number.
  fileprivate var isNegation: Bool {
    switch self {
    case .negative, .positive, .arithmetic, .filter:
      var hasName = false
      forEachName { _ in hasName = true }
      return !hasName
    case .and, .or, .conditional: return true
    default: return false
    }
  }
}
