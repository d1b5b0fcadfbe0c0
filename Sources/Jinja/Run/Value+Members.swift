// `value.name`, `value[item]` and `value[start:stop:step]`, as looked up by Jinja2's sandboxed environment.

extension Machine {
  /// `value.name`: an attribute of Python's object, otherwise an item of that name.
  func attribute(_ value: Value, _ name: PythonText) throws(TemplateError) -> Value {
    if let found = try member(value, name) { return found }
    if case .dict(let dict) = value, let item = dict[name] { return item }
    return .undefined(.member(name))
  }

  /// `value[item]`: an item, otherwise an attribute of that name.
  func item(_ value: Value, _ item: Value) throws(TemplateError) -> Value {
    switch value {
    case .undefined(let absence): throw .failure(absence.reason)
    case .dict(let dict):
      switch item {
      case .list, .dict: return .undefined(.because("a \(item.typeName) is not a key"))
      default:
        try requireHash(item)
        if let found = dict[item] { return found }
      }
    case .list(let items), .tuple(let items):
      if let i = index(item, items.count) { return items.values[i] }
    case .string(let text):
      if item.integer != nil {
        try requirePlain(value, "an index")
        try charge(reading: text.bytes.count)
        if let i = index(item, text.count) {
          let start = text.byte(ofScalar: i)
          let length = text.bytes[start...].dropFirst().prefix { $0 & 0xC0 == 0x80 }.count + 1
          return .text(Array(text.bytes[start..<start + length]))
        }
      }
    case .object(let range as RangeObject):
      if let i = index(item, range.count) { return .int(range.number(i)) }
    default: break
    }
    if let name = item.text {
      return try member(value, name) ?? .undefined(.member(name))
    }
    return .undefined(.because("there is no such item"))
  }

  private func index(_ item: Value, _ count: Int) -> Int? {
    guard let n = item.integer else { return nil }
    let i = n < 0 ? n &+ count : n
    return (0..<count).contains(i) ? i : nil
  }

  /// An attribute of Python's object; nil if it has none of that name. Attributes forbidden by the sandbox are
  /// undefined.
  func member(_ value: Value, _ name: PythonText) throws(TemplateError) -> Value? {
    if name.hasPrefix("__") { throw .refusal("the attribute '\(name)'") }
    if case .undefined(let absence) = value { throw .failure(absence.reason) }
    let methods: Methods
    switch value {
    case .undefined, .none: return nil
    case .bool, .int, .float: methods = builtins.numberMethods
    case .string:
      try requirePlain(value, "'.\(name)'")
      methods = builtins.stringMethods
    case .list: methods = builtins.listMethods
    case .tuple: methods = builtins.tupleMethods
    case .dict: methods = builtins.dictMethods
    case .object(let object): return try object.attribute(name, self)
    }
    if let method = methods.here[name] {
      return .object(
        Function(name.description, depth: value.depth) { (machine, arguments) throws(TemplateError) in
          try method(machine, value, arguments)
        })
    }
    if methods.changing.contains(name) {
      return .undefined(.because("'\(name)' would change a \(value.typeName), which the sandbox does not allow"))
    }
    if methods.elsewhere.contains(name) { throw .refusal("'.\(name)' of a \(value.typeName)") }
    return nil
  }

  // MARK: Slices

  func slice(_ value: Value, _ start: Value?, _ stop: Value?, _ step: Value?) throws(TemplateError) -> Value {
    let count: Int
    switch value {
    case .undefined(let absence): throw .failure(absence.reason)
    case .string(let text):
      try requirePlain(value, "a slice")
      try charge(reading: text.bytes.count)
      count = text.count
    case .list(let items), .tuple(let items): count = items.count
    case .object(is RangeObject): throw .refusal("a slice of a range")
    // Jinja2 makes constant expressions undefined.
    case .none, .bool, .int, .float, .dict: throw .refusal("a slice of a \(value.typeName)")
    default: throw .failure("a \(value.typeName) cannot be sliced")
    }
    let indices = try indices(count, start, stop, step)
    switch value {
    case .string(let text):
      if indices.step == 1 {
        let begin = text.byte(ofScalar: indices.start)
        let end = text.byte(ofScalar: max(indices.stop, indices.start))
        return try make(Array(text.bytes[begin..<end]))
      }
      try charge(text.bytes.count * 8)
      let scalars = text.scalars
      return try make(PythonText(indices.all.map { scalars[$0] }))
    case .list(let items): return try list(indices.all.map { items.values[$0] })
    case .tuple(let items): return try tuple(indices.all.map { items.values[$0] })
    default: throw .failure("a \(value.typeName) cannot be sliced")
    }
  }

  private struct Indices {
    let start, stop, step: Int
    var all: StrideTo<Int> { stride(from: start, to: stop, by: step) }
  }

  /// Same as CPython's `PySlice_AdjustIndices`.
  private func indices(
    _ count: Int, _ start: Value?, _ stop: Value?, _ step: Value?
  ) throws(TemplateError) -> Indices {
    func number(_ value: Value?) throws(TemplateError) -> Int? {
      guard let value, !value.isNone else { return nil }
      guard let n = value.integer else { throw .failure("a slice by a \(value.typeName)") }
      return n
    }
    let step = try number(step) ?? 1
    guard step != 0 else { throw .failure("a slice whose step is 0") }
    let ends = step > 0 ? (lowest: 0, highest: count) : (lowest: -1, highest: count - 1)
    func clamped(_ n: Int) -> Int { min(max(n < 0 ? n &+ count : n, ends.lowest), ends.highest) }
    let first = try number(start).map(clamped) ?? (step > 0 ? ends.lowest : ends.highest)
    let last = try number(stop).map(clamped) ?? (step > 0 ? ends.highest : ends.lowest)
    return Indices(start: first, stop: last, step: max(step, -.max))
  }
}
