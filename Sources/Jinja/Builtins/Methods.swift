extension Methods {
  static let number = Methods(
    here: [
      "is_integer": { (_, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("is_integer", 0...0)
        guard case .float(let x) = value else { throw .refusal("'.is_integer' of an int") }
        return .bool(x == x.rounded())
      }
    ],
    elsewhere: [
      "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "fromhex",
      "from_number", "hex", "imag", "numerator", "real", "to_bytes",
    ])

  static let list = Methods(
    here: sequence.merging(["copy": copy]) { $1 },
    changing: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"])

  /// The results of `groupby` have names for their two elements.
  static let tuple = Methods(here: sequence, elsewhere: ["grouper", "list"])

  static let dict = Methods(
    here: [
      "copy": copy,
      "get": { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.positional("get", 1...2)
        guard case .dict(let dict) = value else { return .none }
        try machine.requireHash(values[0])
        return dict[values[0]] ?? (values.count > 1 ? values[1] : .none)
      },
      "items": view(.items), "keys": view(.keys), "values": view(.values),
    ],
    changing: ["clear", "pop", "popitem", "setdefault", "update"], elsewhere: ["fromkeys"])

  private static func view(_ kind: DictView.Kind) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional(kind.rawValue, 0...0)
      guard case .dict(let dict) = value else { return .none }
      let view = DictView(dict, kind)
      try machine.requireDepth(view.depth)
      return .object(view)
    }
  }

  private static let copy: Body = { (_, value, arguments) throws(TemplateError) in
    _ = try arguments.positional("copy", 0...0)
    return value
  }

  private static let sequence: [PythonText: Body] = [
    "count": { (machine, value, arguments) throws(TemplateError) in
      let sought = try arguments.positional("count", 1...1)[0]
      var count = 0
      for element in try machine.all(value) where try machine.equal(element, sought) { count += 1 }
      return .int(count)
    },
    "index": { (machine, value, arguments) throws(TemplateError) in
      guard arguments.positional.count == 1 else { throw .refusal("'index' with bounds") }
      let sought = try arguments.positional("index", 1...1)[0]
      for (i, element) in try machine.all(value).enumerated() where try machine.equal(element, sought) {
        return .int(i)
      }
      throw .failure("the value is not in the \(value.typeName)")
    },
  ]
}
