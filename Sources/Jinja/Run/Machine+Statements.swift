extension Machine {
  func execute(_ statements: [Statement]) throws(TemplateError) -> Flow {
    for statement in statements {
      let flow = try execute(statement)
      if flow != .next { return flow }
    }
    return .next
  }

  private func execute(_ statement: Statement) throws(TemplateError) -> Flow {
    try step()
    switch statement {
    case .text(let text): try write(text)
    case .output(let expression, let line):
      self.line = line
      try write(try string(evaluate(expression)))
    case .loop(let loop): return try execute(loop)
    case .conditional(let branches, let otherwise, let line):
      self.line = line
      return try nested { () throws(TemplateError) in
        for (test, body) in branches where try evaluate(test).isTrue { return try execute(body) }
        return try execute(otherwise)
      }
    case .set(let target, let value, let line):
      self.line = line
      try requireNamespaces(target)
      try assign(try evaluate(value), target)
    case .setBlock(let target, let filter, let body, let scope, let line):
      return try block(body, filter, scope, line) { (value) throws(TemplateError) in
        try self.requireNamespaces(target, orRefuse: true)
        try self.assign(value, target)
      }
    case .filterBlock(let filter, let body, let scope, let line):
      return try block(body, filter, scope, line) { (value) throws(TemplateError) in
        try self.write(try self.string(value))
      }
    case .with(let values, let body, let scope, let line):
      self.line = line
      enter(scope)
      for (target, value) in values { try assign(try evaluate(value), target) }
      return try nested { () throws(TemplateError) in
        let flow = try execute(body)
        if flow == .next { leave(scope) }
        return flow
      }
    case .macro(let name, let callable): store(.object(try macro(callable, name.text)), name)
    case .callBlock(let call, let callable):
      line = callable.line
      guard case .call(let callee, let arguments, _) = call else { return .next }
      let caller = Value.object(try macro(callable, nil))
      let function = try evaluate(callee)
      var values = try evaluate(arguments)
      try values.add("caller", caller)
      try write(try string(try self.call(function, values)))
    case .generation(let callable):
      line = callable.line
      let text = try self.call(.object(try macro(callable, nil)), Arguments())
      guard let text = text.text else { return .next }
      mark(generation: text)
      try write(text)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .next
  }

  /// A block whose text is captured, filtered and used.
  private func block(
    _ body: [Statement], _ filter: Expression?, _ scope: Int, _ line: Int,
    _ use: (Value) throws(TemplateError) -> Void
  ) throws(TemplateError) -> Flow {
    try nested { () throws(TemplateError) in
      enter(scope)
      let (text, flow) = try caught { () throws(TemplateError) in try execute(body) }
      guard flow == .next else { return flow }
      self.line = line
      var value = Value.string(text)
      if let filter { value = try evaluate(filter, block: value) }
      try use(value)
      leave(scope)
      return .next
    }
  }

  // MARK: Assigning

  /// - Parameter orRefuse: refuse it, since Jinja2 lets a set block change a dict.
  private func requireNamespaces(_ target: Target, orRefuse: Bool = false) throws(TemplateError) {
    switch target {
    case .name: return
    case .attribute(let name, _):
      if case .object(let object) = load(name), object is Namespace { return }
      if orRefuse { throw .refusal("a set block for a member of a value that is not a namespace") }
      throw .failure("cannot assign to a member of '\(name.text)', which is not a namespace")
    case .tuple(let targets): for target in targets { try requireNamespaces(target, orRefuse: orRefuse) }
    }
  }

  func assign(_ value: Value, _ target: Target) throws(TemplateError) {
    switch target {
    case .name(let name): store(value, name)
    case .attribute(let name, let attribute):
      guard case .object(let object) = load(name), let namespace = object as? Namespace else {
        throw .failure("cannot assign to a member of '\(name.text)', which is not a namespace")
      }
      try charge(64)
      try namespace.set(attribute, value)
    case .tuple(let targets):
      let values = try all(value)
      guard values.count == targets.count else {
        throw .failure("\(values.count) values for \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(value, target) }
    }
  }

  // MARK: Loops

  private func execute(_ loop: Loop) throws(TemplateError) -> Flow {
    line = loop.line
    let iterated = try evaluate(loop.iterated)
    guard loop.isRecursive else {
      return try nested { () throws(TemplateError) in try run(loop, over: iterated, depth: 0, recursion: nil) }
    }
    let recursion = Recursion(loop: loop, around: variables)
    try write(try recursion.render(self, over: iterated, depth: 0))
    return .next
  }

  func run(
    _ loop: Loop, over iterated: Value, depth: Int, recursion: Recursion?
  ) throws(TemplateError) -> Flow {
    var cursor = try cursor(of: loop, iterated)
    var object: LoopObject?
    if scopes.scopes[loop.scope].loop != nil {
      let new = LoopObject(cursor, iterated.depth, depth, recursion)
      try requireDepth(new.depth)
      try keep(new)
      object = new
    }
    var wasCompleted = false
    func next() throws(TemplateError) -> Value? {
      if let object { return try object.next(self) }
      return try cursor.next(self)
    }
    loop: while let value = try next() {
      try step()
      if let object, let index = scopes.scopes[loop.scope].loop { variables.values[index] = .object(object) }
      try assign(value, loop.target)
      enter(loop.scope)
      switch try execute(loop.body) {
      case .next: wasCompleted = true
      case .continueLoop: continue
      case .breakLoop: break loop
      }
    }
    leave(loop.scope)
    guard !wasCompleted, !loop.otherwise.isEmpty else { return .next }
    enter(loop.otherwiseScope)
    let flow = try execute(loop.otherwise)
    if flow == .next { leave(loop.otherwiseScope) }
    return flow
  }

  /// The values that satisfy a loop's condition, if it has one; it is evaluated on demand.
  private func cursor(of loop: Loop, _ iterated: Value) throws(TemplateError) -> Cursor {
    guard let test = loop.test else { return try cursor(iterated) }
    let inner = Variables(count: scopes.variables[scopes.scopes[loop.testScope].function!], around: variables)
    var source: Cursor?
    return Cursor(
      Iterator(depth: iterated.depth + 1) { [unowned self] () throws(TemplateError) in
        let outer = variables
        variables = inner
        defer { variables = outer }
        if source == nil {
          enter(loop.testScope)
          source = try cursor(iterated)
        }
        while let value = try source!.next(self) {
          try step()
          try assign(value, loop.testTarget)
          if try evaluate(test).isTrue { return value }
        }
        return nil
      })
  }
}

/// A recursive loop, which can be called with other values.
final class Recursion {
  let loop: Loop
  private let around: Variables

  init(loop: Loop, around: Variables) {
    self.loop = loop
    self.around = around
  }

  func render(_ machine: Machine, over iterated: Value, depth: Int) throws(TemplateError) -> PythonText {
    let outer = machine.variables
    let count = machine.scopes.variables[machine.scopes.scopes[loop.scope].function!]
    try machine.charge(count * 24 + 64)
    machine.variables = Variables(count: count, around: around)
    defer { machine.variables = outer }
    return try machine.nested { () throws(TemplateError) in
      try machine.caught { () throws(TemplateError) in
        try machine.run(loop, over: iterated, depth: depth, recursion: self)
      }.text
    }
  }
}
