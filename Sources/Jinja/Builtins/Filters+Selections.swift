extension Filters {
  static let selections: [String: Body] = [
    "map": { (machine, value, arguments) throws(TemplateError) in
      var map: ((Value) throws(TemplateError) -> Value)?
      return try machine.iterator(over: value.isTrue ? value : nothing) { (cursor) throws(TemplateError) in
        if map == nil, value.isTrue { map = try machine.mapping(arguments) }
        guard let map, let next = try cursor.next(machine) else { return nil }
        try machine.step()
        return try map(next)
      }
    },
    "select": selection(byAttribute: false, keeping: true),
    "reject": selection(byAttribute: false, keeping: false),
    "selectattr": selection(byAttribute: true, keeping: true),
    "rejectattr": selection(byAttribute: true, keeping: false),
  ]

  private static let nothing = Value.list(Items([]))

  private static func selection(byAttribute: Bool, keeping: Bool) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      var holds: ((Value) throws(TemplateError) -> Bool)?
      return try machine.iterator(over: value.isTrue ? value : nothing) { (cursor) throws(TemplateError) in
        if holds == nil, value.isTrue { holds = try machine.condition(arguments, byAttribute: byAttribute) }
        guard let holds else { return nil }
        while let next = try cursor.next(machine) {
          try machine.step()
          if try holds(next) == keeping { return next }
        }
        return nil
      }
    }
  }
}

extension Machine {
  /// The operation that `map` applies to each value. Invalid arguments are an error only when a value is requested.
  fileprivate func mapping(_ arguments: Arguments) throws(TemplateError) -> (Value) throws(TemplateError) -> Value {
    var rest = arguments
    if arguments.positional.isEmpty, let attribute = rest.take("attribute") {
      let otherwise = rest.take("default")
      if let unknown = rest.named.first { throw .failure("'map' takes no argument '\(unknown.name)'") }
      let path = try Path(attribute, otherwise: otherwise)
      return { [unowned self] (value) throws(TemplateError) in try path(self, value) }
    }
    guard !rest.positional.isEmpty else { throw .failure("'map' needs a filter or an attribute") }
    let name = rest.positional.removeFirst().text
    return { [unowned self, rest] (value) throws(TemplateError) in
      guard let name else { throw .failure("unknown filter") }
      return try self.filter(name.description, value, rest)
    }
  }

  /// The condition of `select` and similar filters.
  fileprivate func condition(
    _ arguments: Arguments, byAttribute: Bool
  ) throws(TemplateError) -> (Value) throws(TemplateError) -> Bool {
    var rest = arguments
    var path = try Path(nil)
    if byAttribute {
      guard !rest.positional.isEmpty else { throw .failure("an attribute's name is missing") }
      path = try Path(rest.positional.removeFirst())
    }
    let name = rest.positional.isEmpty ? nil : rest.positional.removeFirst()
    return { [unowned self, rest, path] (value) throws(TemplateError) in
      let value = try path(self, value)
      guard let name else { return value.isTrue }
      guard let test = name.text else { throw .failure("unknown test") }
      return try self.test(test.description, value, rest)
    }
  }
}
