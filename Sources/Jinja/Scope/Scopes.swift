/// Location of a variable: in the current function, or in an enclosing one.
struct Place: Sendable {
  let hops: Int
  let index: Int
}

/// Operations on entering and leaving a scope.
struct Scope: Sendable {
  enum Load: Sendable {
    case alias(Int, Place)
    case resolve(Int, PythonText)
    case undefined(Int)
  }

  var enter: [Load] = []
  /// Variables that become undefined.
  var leave: [Int] = []
  /// Number of variables of the function that this scope begins.
  var function: Int?
  /// The variable scope of a loop's or macro's own names, if they are used.
  var loop: Int?
  var parameters: [Int] = []
  var caller: Int?
  var named: Int?
  var more: Int?
}

/// Locations of all names, and operations of all scopes, by their indices.
struct Scopes: Sendable {
  fileprivate(set) var places: [Place?]
  fileprivate(set) var scopes: [Scope]
  /// Number of variables of each function.
  fileprivate(set) var variables: [Int] = []

  /// - Throws: `TemplateError.syntax` for errors that Jinja2 finds when compiling.
  /// - Parameter check: throws for filters and tests that do not exist.
  init(
    _ body: [Statement], names: Int, scopes: Int, checking check: @escaping Check
  ) throws(TemplateError) {
    var resolver = Resolver(names: names, scopes: scopes, check)
    try resolver.template(body)
    self = resolver.result()
  }

  typealias Check = (Expression) throws(TemplateError) -> Void

  fileprivate init(places: [Place?], scopes: [Scope], variables: [Int]) {
    (self.places, self.scopes, self.variables) = (places, scopes, variables)
  }
}

/// Resolves names in a template in the order of Jinja2's compiler.
private struct Resolver {
  private struct Function {
    let depth: Int
    var places: [Variable: Int] = [:]
  }

  private var places: [Place?]
  private var scopes: [Scope]
  private var functions: [Function] = []
  /// The current function.
  private var function = 0

  private let check: Scopes.Check

  init(names: Int, scopes: Int, _ check: @escaping Scopes.Check) {
    self.check = check
    places = Array(repeating: nil, count: names)
    self.scopes = Array(repeating: Scope(), count: scopes)
  }

  func result() -> Scopes { Scopes(places: places, scopes: scopes, variables: functions.map(\.places.count)) }

  mutating func template(_ body: [Statement]) throws(TemplateError) {
    functions.append(Function(depth: 0))
    let symbols = Symbols(parent: nil, function: 0)
    symbols.visit(body)
    scopes[0].function = 0
    enter(0, symbols)
    try resolve(body, symbols, isSoft: false)
  }

  private mutating func newFunction() -> Int {
    functions.append(Function(depth: functions[function].depth + 1))
    return functions.count - 1
  }

  // MARK: Places

  private mutating func index(_ variable: Variable) -> Int {
    if let index = functions[variable.function].places[variable] { return index }
    let index = functions[variable.function].places.count
    functions[variable.function].places[variable] = index
    return index
  }

  private mutating func place(_ variable: Variable) -> Place {
    Place(hops: functions[function].depth - functions[variable.function].depth, index: index(variable))
  }

  private mutating func enter(_ scope: Int, _ symbols: Symbols) {
    for variable in symbols.order {
      let at = index(variable)
      switch symbols.initial[variable]! {
      case .parameter: break
      case .resolve: scopes[scope].enter.append(.resolve(at, PythonText(variable.name)))
      case .alias(let outer): scopes[scope].enter.append(.alias(at, place(outer)))
      case .undefined: scopes[scope].enter.append(.undefined(at))
      }
      scopes[scope].leave.append(at)
    }
  }

  private mutating func resolve(_ name: Name, _ symbols: Symbols) throws(TemplateError) {
    guard let variable = symbols.find(name.text) else {
      throw .syntax(line: name.line, reason: "the name '\(name.text)' has no meaning here")
    }
    places[name.id] = place(variable)
  }

  private mutating func resolve(_ target: Target, _ symbols: Symbols) throws(TemplateError) {
    switch target {
    case .name(let name), .attribute(let name, _): try resolve(name, symbols)
    case .tuple(let targets): for target in targets { try resolve(target, symbols) }
    }
  }

  /// - Parameter isSoft: whether unknown filters and tests are an error only when they are used.
  private mutating func resolve(
    _ expression: Expression, _ symbols: Symbols, isSoft: Bool
  ) throws(TemplateError) {
    var names: [Name] = []
    expression.forEachName { names.append($0) }
    for name in names { try resolve(name, symbols) }
    if !isSoft { try check(expression) }
  }

  // MARK: Statements

  private mutating func resolve(
    _ statements: [Statement], _ symbols: Symbols, isSoft: Bool
  ) throws(TemplateError) {
    for statement in statements { try resolve(statement, symbols, isSoft: isSoft) }
  }

  private mutating func resolve(_ statement: Statement, _ symbols: Symbols, isSoft: Bool) throws(TemplateError) {
    switch statement {
    case .text, .breakLoop, .continueLoop: break
    case .output(let value, _): try resolve(value, symbols, isSoft: isSoft)
    case .loop(let loop): try resolve(loop, symbols, isSoft: isSoft)
    case .conditional(let branches, let otherwise, _):
      for (test, body) in branches {
        try resolve(test, symbols, isSoft: true)
        try resolve(body, symbols, isSoft: true)
      }
      try resolve(otherwise, symbols, isSoft: true)
    case .set(let target, let value, _):
      try resolve(target, symbols)
      try resolve(value, symbols, isSoft: isSoft)
    case .setBlock(let target, let filter, let body, let scope, _):
      let inner = Symbols(parent: symbols, function: function)
      inner.visit(body)
      enter(scope, inner)
      try resolve(body, inner, isSoft: false)
      try resolve(target, symbols)
      if let filter { try resolve(filter, inner, isSoft: false) }
    case .with(let values, let body, let scope, _):
      let inner = Symbols(parent: symbols, function: function)
      for (target, _) in values { inner.visit(target) }
      inner.visit(body)
      enter(scope, inner)
      for (target, value) in values {
        try resolve(target, inner)
        try resolve(value, symbols, isSoft: isSoft)
      }
      try resolve(body, inner, isSoft: false)
    case .filterBlock(let filter, let body, let scope, _):
      let inner = Symbols(parent: symbols, function: function)
      inner.visit(body)
      inner.visit(filter)
      enter(scope, inner)
      try resolve(body, inner, isSoft: false)
      try resolve(filter, inner, isSoft: false)
    case .macro(let name, let callable):
      try resolve(callable, symbols)
      try resolve(name, symbols)
    case .callBlock(let call, let callable):
      try resolve(callable, symbols)
      try resolve(call, symbols, isSoft: isSoft)
    case .generation(let callable): try resolve(callable, symbols)
    }
  }

  private mutating func resolve(_ loop: Loop, _ symbols: Symbols, isSoft: Bool) throws(TemplateError) {
    var assigned: Name?
    [Statement.loop(loop)].forEachName { if $0.use == .store, $0.text == "loop" { assigned = $0 } }
    if let assigned { throw .syntax(line: assigned.line, reason: "'loop' cannot be assigned to in a loop") }
    try resolve(loop.iterated, symbols, isSoft: isSoft)

    let outer = function
    if loop.isRecursive {
      function = newFunction()
      scopes[loop.scope].function = function
    }
    let body = Symbols(parent: symbols, function: function)
    if loop.isRecursive || !undeclared(["loop"], in: loop.body).isEmpty {
      body.declare(parameter: "loop")
      scopes[loop.scope].loop = index(body.find("loop")!)
    }
    body.visit(loop.target, asParameter: true)
    body.visit(loop.body)
    let otherwise = Symbols(parent: symbols, function: function)
    otherwise.visit(loop.otherwise)
    if let test = loop.test {
      // Jinja2 has a separate function for the condition; its names are separate from the body's.
      let inner = newFunction()
      let symbols = Symbols(parent: symbols, function: inner)
      symbols.visit(loop.testTarget, asParameter: true)
      symbols.visit(test)
      let outer = function
      function = inner
      scopes[loop.testScope].function = inner
      enter(loop.testScope, symbols)
      try resolve(loop.testTarget, symbols)
      try resolve(test, symbols, isSoft: false)
      function = outer
    }
    try resolve(loop.target, body)
    enter(loop.scope, body)
    try resolve(loop.body, body, isSoft: false)
    enter(loop.otherwiseScope, otherwise)
    try resolve(loop.otherwise, otherwise, isSoft: false)
    function = outer
  }

  private mutating func resolve(_ callable: Callable, _ symbols: Symbols) throws(TemplateError) {
    let outer = function
    function = newFunction()
    defer { function = outer }
    let scope = callable.scope
    scopes[scope].function = function
    let inner = Symbols(parent: symbols, function: function)
    inner.visit(callable)
    let special = undeclared(["caller", "kwargs", "varargs"], in: callable.body)
    func isParameter(_ name: String) -> Int? { callable.parameters.firstIndex { $0.text == name } }
    var declared: [String] = []
    if special.contains("caller") {
      if let place = isParameter("caller") {
        guard callable.parameters.count - place <= callable.defaults.count else {
          throw .syntax(line: callable.line, reason: "the parameter 'caller' needs a default")
        }
      } else {
        declared.append("caller")
      }
    }
    for name in ["kwargs", "varargs"] where special.contains(name) && isParameter(name) == nil {
      declared.append(name)
    }
    for name in declared { inner.declare(parameter: name) }
    inner.visit(callable)
    scopes[scope].parameters = callable.parameters.map { index(inner.find($0.text)!) }
    func place(_ name: String) -> Int? { declared.contains(name) ? index(inner.find(name)!) : nil }
    scopes[scope].caller = place("caller")
    scopes[scope].named = place("kwargs")
    scopes[scope].more = place("varargs")
    enter(scope, inner)
    for value in callable.defaults { try resolve(value, inner, isSoft: false) }
    try resolve(callable.body, inner, isSoft: false)
  }
}

extension Symbols {
  fileprivate func visit(_ callable: Callable) {
    for parameter in callable.parameters { declare(parameter: parameter.text) }
    for value in callable.defaults { visit(value) }
    visit(callable.body)
  }
}
