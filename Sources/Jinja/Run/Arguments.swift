/// Arguments of a function, filter or test.
struct Arguments {
  var positional: [Value] = []
  private(set) var named: [(name: PythonText, value: Value)] = []

  init() {}
  init(_ positional: [Value]) { self.positional = positional }

  mutating func add(_ name: PythonText, _ value: Value) throws(TemplateError) {
    guard !named.contains(where: { $0.name == name }) else { throw .failure("two arguments '\(name)'") }
    named.append((name, value))
  }

  mutating func take(_ name: PythonText) -> Value? {
    named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
  }

  var isEmpty: Bool { positional.isEmpty && named.isEmpty }

  /// Values of parameters, given by position or name; nil for omitted ones.
  func bind(_ function: String, _ parameters: [PythonText], required: Int = 0) throws(TemplateError) -> [Value?] {
    guard positional.count <= parameters.count else {
      throw .failure("'\(function)' takes at most \(parameters.count) arguments, not \(positional.count)")
    }
    var values: [Value?] = Array(repeating: nil, count: parameters.count)
    for (i, value) in positional.enumerated() { values[i] = value }
    for (name, value) in named {
      guard let place = parameters.firstIndex(of: name) else {
        throw .failure("'\(function)' takes no argument '\(name)'")
      }
      guard values[place] == nil else { throw .failure("two values for the argument '\(name)' of '\(function)'") }
      values[place] = value
    }
    for i in 0..<required where values[i] == nil {
      throw .failure("'\(function)' needs the argument '\(parameters[i])'")
    }
    return values
  }

  /// Values of a Python function with positional arguments only.
  func positional(_ function: String, _ counts: ClosedRange<Int>) throws(TemplateError) -> [Value] {
    guard named.isEmpty else { throw .failure("'\(function)' takes no named arguments") }
    guard counts.contains(positional.count) else {
      throw .failure("'\(function)' does not take \(positional.count) arguments")
    }
    return positional
  }
}
