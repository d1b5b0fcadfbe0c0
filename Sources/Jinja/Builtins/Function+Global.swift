extension Function {
  /// The global functions of the environment, by name.
  static let global: [PythonText: RuntimeObject] = {
    let functions = [
      Function("raise_exception") { (machine, arguments) throws(TemplateError) in
        let message = try arguments.bind("raise_exception", ["message"], required: 1)[0]!
        throw .raised(try machine.string(message).description)
      },
      Function("strftime_now") { (machine, arguments) throws(TemplateError) in
        guard let format = try arguments.bind("strftime_now", ["format"], required: 1)[0]!.text else {
          throw .failure("'strftime_now' needs a string")
        }
        machine.usesDate = true
        return try machine.make(try machine.surroundings.now.formatted(format))
      },
      Function("range") { (_, arguments) throws(TemplateError) in
        var numbers: [Int] = []
        for value in try arguments.positional("range", 1...3) {
          if case .undefined(let absence) = value { throw .failure(absence.reason) }
          guard let n = value.integer else { throw .failure("a range to a \(value.typeName)") }
          numbers.append(n)
        }
        return .object(
          try RangeObject(
            start: numbers.count > 1 ? numbers[0] : 0, stop: numbers.count > 1 ? numbers[1] : numbers[0],
            step: numbers.count > 2 ? numbers[2] : 1))
      },
      Function("dict", isClass: true) { (machine, arguments) throws(TemplateError) in .dict(try machine.dict(arguments))
      },
      Function("namespace", isClass: true) { (machine, arguments) throws(TemplateError) in
        let namespace = Namespace()
        try machine.keep(namespace)
        for (key, value) in try machine.dict(arguments).members {
          guard let name = key.text else { throw .refusal("a namespace with a name that is not a string") }
          try namespace.set(name, value)
        }
        return .object(namespace)
      },
      Function("cycler", isClass: true) { (machine, arguments) throws(TemplateError) in
        guard arguments.named.isEmpty, !arguments.positional.isEmpty else {
          throw .failure("'cycler' needs positional arguments")
        }
        let cycler = Cycler(try machine.items(arguments.positional))
        try machine.requireDepth(cycler.depth)
        return .object(cycler)
      },
      Function("joiner", isClass: true) { (machine, arguments) throws(TemplateError) in
        let joiner = Joiner(try arguments.bind("joiner", ["sep"])[0] ?? .string(", "))
        try machine.requireDepth(joiner.depth)
        return .object(joiner)
      },
      Function("lipsum") { (_, _) throws(TemplateError) in throw .refusal("'lipsum'") },
    ]
    return .init(uniqueKeysWithValues: functions.map { (PythonText($0.name), $0) })
  }()
}

extension Machine {
  /// Python's `dict(…)`: from another dict or pairs, and named arguments.
  fileprivate func dict(_ arguments: Arguments) throws(TemplateError) -> Dict {
    var members: [(key: Value, value: Value)] = []
    guard arguments.positional.count <= 1 else { throw .failure("'dict' takes at most one positional argument") }
    switch arguments.positional.first {
    case nil: break
    case .dict(let dict): members = dict.members
    case .undefined(let absence): throw .failure(absence.reason)
    case let value?:
      for pair in try all(value) {
        let pair = try all(pair)
        guard pair.count == 2 else { throw .failure("'dict' of values that are not pairs") }
        members.append((pair[0], pair[1]))
      }
    }
    for (name, value) in arguments.named { members.append((.string(name), value)) }
    return try dict(members)
  }
}
