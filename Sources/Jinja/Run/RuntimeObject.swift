/// An object that exists only during rendering, on one thread.
package class RuntimeObject: @unchecked Sendable {
  /// Python's name of its type.
  var typeName: String { "object" }
  /// Nesting depth of the values that it holds.
  var depth: Int { 1 }
  var isCallable: Bool { false }

  /// Releases the values that it holds, to break reference cycles.
  func clear() {}

  /// The attribute of that name; nil if Python's object has none.
  func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    throw .refusal("'.\(name)' of a \(typeName)")
  }

  func call(_ machine: Machine, _ arguments: Arguments) throws(TemplateError) -> Value {
    throw .failure("a \(typeName) cannot be called")
  }
}

/// `namespace(…)`: attributes that can be assigned to, also inside loops.
final class Namespace: RuntimeObject, @unchecked Sendable {
  private var names: [PythonText] = []
  private var values: [Value] = []

  override var typeName: String { "Namespace" }

  func set(_ name: PythonText, _ value: Value) throws(TemplateError) {
    guard !name.hasPrefix("_") else { throw .failure("'\(name)' as a member of a namespace") }
    if let place = names.firstIndex(of: name) {
      values[place] = value
    } else {
      names.append(name)
      values.append(value)
    }
  }

  override func attribute(_ name: PythonText, _ machine: Machine) -> Value? {
    names.firstIndex(of: name).map { values[$0] }
  }

  override func clear() { (names, values) = ([], []) }
}

/// A function of Jinja2's environment, or a bound method.
final class Function: RuntimeObject, @unchecked Sendable {
  typealias Body = @Sendable (Machine, Arguments) throws(TemplateError) -> Value

  let name: String
  private let body: Body
  private let receiver: Int
  private let isClass: Bool

  /// - Parameter isClass: whether it is a class or an object in Python, which has additional attributes.
  init(_ name: String, depth: Int = 0, isClass: Bool = false, _ body: @escaping Body) {
    self.name = name
    self.body = body
    receiver = depth
    self.isClass = isClass
  }

  override var typeName: String { "function" }
  override var depth: Int { receiver + 1 }
  override var isCallable: Bool { true }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    isClass ? try super.attribute(name, machine) : nil
  }

  override func call(_ machine: Machine, _ arguments: Arguments) throws(TemplateError) -> Value {
    try body(machine, arguments)
  }
}

/// `cycler(…)`
final class Cycler: RuntimeObject, @unchecked Sendable {
  private let items: Items
  private var position = 0

  init(_ items: Items) { self.items = items }

  override var typeName: String { "Cycler" }
  override var depth: Int { items.depth }

  override func attribute(_ name: PythonText, _ machine: Machine) throws(TemplateError) -> Value? {
    switch name {
    case "current": items.values[position]
    case "next":
      .object(
        Function("next", depth: depth) { [self] (_, arguments) throws(TemplateError) in
          _ = try arguments.positional("next", 0...0)
          defer { position = (position + 1) % items.count }
          return items.values[position]
        })
    case "reset":
      .object(
        Function("reset", depth: depth) { [self] (_, arguments) throws(TemplateError) in
          _ = try arguments.positional("reset", 0...0)
          position = 0
          return .none
        })
    default: try super.attribute(name, machine)
    }
  }
}

/// `joiner(…)`: an empty string on the first call, then a separator.
final class Joiner: RuntimeObject, @unchecked Sendable {
  private let separator: Value
  private var wasUsed = false

  init(_ separator: Value) { self.separator = separator }

  override var typeName: String { "Joiner" }
  override var depth: Int { separator.depth + 1 }
  override var isCallable: Bool { true }

  override func call(_ machine: Machine, _ arguments: Arguments) throws(TemplateError) -> Value {
    _ = try arguments.positional("joiner", 0...0)
    defer { wasUsed = true }
    return wasUsed ? separator : .string("")
  }
}
