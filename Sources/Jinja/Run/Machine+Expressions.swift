extension Machine {
  func evaluate(_ expression: Expression) throws(TemplateError) -> Value {
    switch expression {
    case .constant(let literal): return Value(literal)
    case .name(let name): return load(name)
    default: return try nested { () throws(TemplateError) in try evaluateCompound(expression) }
    }
  }

  private func evaluateCompound(_ expression: Expression) throws(TemplateError) -> Value {
    try step()
    switch expression {
    case .constant(let literal): return Value(literal)
    case .name(let name): return load(name)
    case .tuple(let items): return try tuple(try evaluate(items))
    case .list(let items): return try list(try evaluate(items))
    case .dict(let members): return try evaluateDict(members)
    case .attribute(let value, let name, let line):
      let value = try evaluate(value)
      self.line = line
      return try attribute(value, name)
    case .item(let value, let item, let line): return try evaluateItem(value, item, line)
    case .slice: throw .refusal("a slice outside of an index")
    case .call(let callee, let arguments, let line):
      let function = try evaluate(callee)
      let values = try evaluate(arguments)
      self.line = line
      return try call(function, values)
    case .filter(let value?, let name, let arguments, let line):
      let value = try evaluate(value)
      let values = try evaluate(arguments)
      self.line = line
      return try filter(name, value, values)
    case .filter: throw .refusal("a filter without a value")
    case .test(let value, let name, let arguments, let line):
      let value = try evaluate(value)
      let values = try evaluate(arguments)
      self.line = line
      return .bool(try test(name, value, values))
    case .not(let value): return .bool(!(try evaluate(value).isTrue))
    case .negative(let value): return try negate(try evaluate(value))
    case .positive(let value): return try positive(try evaluate(value))
    case .and(let a, let b):
      let left = try evaluate(a)
      return left.isTrue ? try evaluate(b) : left
    case .or(let a, let b):
      let left = try evaluate(a)
      return left.isTrue ? left : try evaluate(b)
    case .arithmetic(let operation, let a, let b, let line):
      let left = try evaluate(a)
      let right = try evaluate(b)
      self.line = line
      return try compute(operation, left, right)
    case .compare(let first, let operands, let line): return .bool(try evaluateComparison(first, operands, line))
    case .concat(let parts): return try evaluateConcatenation(parts)
    case .conditional(let test, let then, let otherwise, let line):
      if try evaluate(test).isTrue { return try evaluate(then) }
      if let otherwise { return try evaluate(otherwise) }
      return .undefined(.because("the condition on line \(line) is false, but there is no 'else'"))
    }
  }

  private func evaluate(_ expressions: [Expression]) throws(TemplateError) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression)) }
    return values
  }

  private func evaluateDict(
    _ members: [(key: Expression, value: Expression)]
  ) throws(TemplateError) -> Value {
    var pairs: [(key: Value, value: Value)] = []
    for (key, value) in members { pairs.append((try evaluate(key), try evaluate(value))) }
    return .dict(try dict(pairs))
  }

  private func evaluateItem(_ value: Expression, _ item: Expression, _ line: Int) throws(TemplateError) -> Value {
    let value = try evaluate(value)
    guard case .slice(let start, let stop, let step) = item else {
      let item = try evaluate(item)
      self.line = line
      return try self.item(value, item)
    }
    let bounds = (
      try start.map { (part) throws(TemplateError) in try evaluate(part) },
      try stop.map { (part) throws(TemplateError) in try evaluate(part) },
      try step.map { (part) throws(TemplateError) in try evaluate(part) }
    )
    self.line = line
    return try slice(value, bounds.0, bounds.1, bounds.2)
  }

  /// `a < b < c` is `a < b and b < c`.
  private func evaluateComparison(
    _ first: Expression, _ operands: [(comparison: Comparison, operand: Expression)], _ line: Int
  ) throws(TemplateError) -> Bool {
    var left = try evaluate(first)
    for (comparison, operand) in operands {
      let right = try evaluate(operand)
      self.line = line
      guard try compare(comparison, left, right) else { return false }
      left = right
    }
    return true
  }

  private func evaluateConcatenation(_ parts: [Expression]) throws(TemplateError) -> Value {
    var bytes: [UInt8] = []
    var values: [Value] = []
    for part in parts { values.append(try evaluate(part)) }
    for value in values {
      let text = try string(value)
      try charge(text.bytes.count)
      bytes += text.bytes
    }
    return .text(bytes)
  }

  // MARK: Calls

  func evaluate(_ arguments: CallArguments) throws(TemplateError) -> Arguments {
    var result = Arguments()
    result.positional = try evaluate(arguments.positional)
    for (name, value) in arguments.named { try result.add(PythonText(name), try evaluate(value)) }
    if let more = arguments.more { result.positional += try all(try evaluate(more)) }
    if let more = arguments.moreNamed {
      guard case .dict(let dict) = try evaluate(more) else { throw .failure("'**' of a value that is not a dict") }
      for (key, value) in dict.members {
        guard let name = key.text else { throw .failure("'**' of a dict with keys that are not strings") }
        try result.add(name, value)
      }
    }
    return result
  }

  /// Applies a chain of filters to a block's text.
  func evaluate(_ filter: Expression, block text: Value) throws(TemplateError) -> Value {
    guard case .filter(let inner, let name, let arguments, let line) = filter else { return text }
    let value = try inner.map { (inner) throws(TemplateError) in try evaluate(inner, block: text) } ?? text
    let values = try evaluate(arguments)
    self.line = line
    return try self.filter(name, value, values)
  }

  func call(_ function: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    try nested { () throws(TemplateError) in
      try step()
      switch function {
      case .undefined(let absence): throw .failure(absence.reason)
      case .object(let object): return try object.call(self, arguments)
      default: throw .failure("a \(function.typeName) cannot be called")
      }
    }
  }

  func filter(_ name: String, _ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    guard let filter = builtins.filters[name] else { throw builtins.missingFilter(name) }
    if !builtins.filtersOfMarkup.contains(name) {
      for value in [value] + arguments.positional + arguments.named.map(\.value) {
        try requirePlain(value, "the filter '\(name)'")
      }
    }
    return try filter(self, value, arguments)
  }

  /// Refuses operations that Jinja2 performs differently on a string marked as safe.
  func requirePlain(_ value: Value, _ use: @autoclosure () -> String) throws(TemplateError) {
    if value.text?.isSafe == true { throw .refusal("\(use()) with a string that is marked 'safe' or escaped") }
  }

  func test(_ name: String, _ value: Value, _ arguments: Arguments) throws(TemplateError) -> Bool {
    guard let test = builtins.tests[name] else { throw .failure("unknown test '\(name)'") }
    return try test(self, value, arguments)
  }

  func macro(_ callable: Callable, _ name: String?) throws(TemplateError) -> Macro {
    // It refers to the enclosing variables, one of which refers to it: a reference cycle.
    try keep(variables)
    return Macro(name: name, callable, around: variables)
  }
}

extension CallArguments {
  var isEmpty: Bool { positional.isEmpty && named.isEmpty && more == nil && moreNamed == nil }
}

extension Value {
  init(_ literal: Literal) {
    self =
      switch literal {
      case .none: .none
      case .bool(let flag): .bool(flag)
      case .int(let n): .int(n)
      case .float(let x): .float(x)
      case .string(let text): .string(text)
      }
  }
}
