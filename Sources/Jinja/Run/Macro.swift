/// A macro, or the body of a call block.
final class Macro: RuntimeObject, @unchecked Sendable {
  private let name: String?
  private let callable: Callable
  private var around: Variables

  init(name: String?, _ callable: Callable, around: Variables) {
    self.name = name
    self.callable = callable
    self.around = around
  }

  override var typeName: String { "Macro" }
  override var isCallable: Bool { true }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    if name == "name" { return self.name.map { Value($0) } ?? Value.none }
    return try super.attribute(name, machine)
  }

  /// Binds arguments to parameters as in `jinja2.runtime.Macro`, and renders the body.
  override func call(_ machine: Machine, _ arguments: Arguments) throws(TemplateError) -> Value {
    let scope = machine.scopes.scopes[callable.scope]
    let count = machine.scopes.variables[scope.function!]
    try machine.charge(count * 24 + 64)
    let inner = Variables(count: count, around: around)

    var arguments = arguments
    var hasCaller = false
    for (i, parameter) in callable.parameters.enumerated() {
      let isGiven = i < arguments.positional.count
      let value = isGiven ? arguments.positional[i] : arguments.take(PythonText(parameter.text))
      if parameter.text == "caller" { hasCaller = true }
      inner.values[scope.parameters[i]] = value
    }
    if let place = scope.caller, !hasCaller {
      switch arguments.take("caller") {
      case nil, .some(.none): inner.values[place] = .undefined(.because("No caller defined"))
      case let caller?: inner.values[place] = caller
      }
    }
    let more = Array(arguments.positional.dropFirst(callable.parameters.count))
    if let place = scope.named {
      inner.values[place] = .dict(try machine.dict(arguments.named.map { (.string($0.name), $0.value) }))
    } else if let (unknown, _) = arguments.named.first {
      throw .failure("the macro '\(name ?? "caller")' takes no argument '\(unknown)'")
    }
    if let place = scope.more {
      inner.values[place] = try machine.tuple(more)
    } else if !more.isEmpty {
      throw .failure("the macro '\(name ?? "caller")' takes at most \(callable.parameters.count) arguments")
    }

    let outer = machine.variables
    machine.variables = inner
    defer { machine.variables = outer }
    let text = try machine.caught { () throws(TemplateError) in
      machine.enter(callable.scope)
      try fillIn(machine, scope)
      return try machine.execute(callable.body)
    }.text
    return .string(text)
  }

  /// Sets omitted parameters to their defaults, in order.
  private func fillIn(_ machine: Machine, _ scope: Scope) throws(TemplateError) {
    let required = callable.parameters.count - callable.defaults.count
    for (i, parameter) in callable.parameters.enumerated() where machine.variables.values[scope.parameters[i]] == nil {
      let value: Value =
        i < required
        ? .undefined(.because("the parameter '\(parameter.text)' was not given"))
        : try machine.evaluate(callable.defaults[i - required])
      machine.variables.values[scope.parameters[i]] = value
    }
  }
}
