extension Filters {
  static let sequences: [String: Body] = [
    "length": length, "count": length,
    "default": otherwise, "d": otherwise,
    "first": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("first", 0...0)
      var cursor = try machine.cursor(value)
      return try cursor.next(machine) ?? .undefined(.because("there is no first item: the sequence is empty"))
    },
    "last": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("last", 0...0)
      guard let values = try machine.elements(value) else { throw .failure("'last' of a \(value.typeName)") }
      return values.last ?? .undefined(.because("there is no last item: the sequence is empty"))
    },
    "list": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("list", 0...0)
      return try machine.list(try machine.all(value))
    },
    "reverse": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("reverse", 0...0)
      if let text = value.text {
        try machine.charge(text.bytes.count * 5)
        return .string(PythonText(text.scalars.reversed()))
      }
      let values = try machine.all(value)
      if case .object(is Iterator) = value { return try machine.list(values.reversed()) }
      return try machine.iterator(over: try machine.list(values.reversed())) { (cursor) throws(TemplateError) in
        try cursor.next(machine)
      }
    },
    "join": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("join", ["d", "attribute"])
      let path = try Machine.Path(values[1])
      let separator = try machine.string(values[0] ?? .string(""))
      var cursor = try machine.cursor(value)
      var texts: [PythonText] = []
      while let next = try cursor.next(machine) {
        try machine.charge(32)
        texts.append(try machine.string(try path(machine, next)))
      }
      return try machine.joined(texts, separator)
    },
    "items": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("items", 0...0)
      var members: Value?
      switch value {
      case .undefined: members = .list(Items([]))
      case .dict(let dict): members = try machine.list(dict.items)
      default: break
      }
      let found = members
      return try machine.iterator(over: found ?? .list(Items([]))) { (cursor) throws(TemplateError) in
        if found == nil { throw .failure("'items' of a \(value.typeName)") }
        return try cursor.next(machine)
      }
    },
    "dictsort": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("dictsort", ["case_sensitive", "by", "reverse"])
      guard case .dict(let dict) = value else { throw .failure("'dictsort' of a \(value.typeName)") }
      let by = values[1] ?? .string("key")
      guard let by = by.text, by == "key" || by == "value" else {
        throw .failure("'dictsort' by something other than key or value")
      }
      var items: [(key: Value, value: Value)] = []
      for (key, member) in dict.members {
        let sorted = by == "key" ? key : member
        items.append(
          (try machine.folded(sorted, values[0]?.isTrue ?? false), try machine.tuple([key, member])))
      }
      return try machine.list(try machine.sorted(items, descending: values[2]?.isTrue ?? false))
    },
    "sort": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("sort", ["reverse", "case_sensitive", "attribute"])
      var paths: [Machine.Path] = []
      if let text = values[2]?.text {
        for part in text.description.split(separator: ",", omittingEmptySubsequences: false) {
          paths.append(try Machine.Path(Value(String(part))))
        }
      } else {
        paths = [try Machine.Path(values[2])]
      }
      var items: [(key: Value, value: Value)] = []
      for item in try machine.all(value) {
        var key: [Value] = []
        for path in paths {
          key.append(try machine.folded(try path(machine, item), values[1]?.isTrue ?? false))
        }
        items.append((try machine.list(key), item))
      }
      return try machine.list(try machine.sorted(items, descending: values[0]?.isTrue ?? false))
    },
    "min": { (machine, value, arguments) throws(TemplateError) in
      try machine.extreme("min", value, arguments) { (a, b) throws(TemplateError) in try machine.isLess(a, b) }
    },
    "max": { (machine, value, arguments) throws(TemplateError) in
      try machine.extreme("max", value, arguments) { (a, b) throws(TemplateError) in try machine.isLess(b, a) }
    },
    "sum": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("sum", ["attribute", "start"])
      var result = values[1] ?? .int(0)
      if result.text != nil { throw .failure("'sum' of strings") }
      let path = try Machine.Path(values[0])
      var cursor = try machine.cursor(value)
      while let next = try cursor.next(machine) {
        result = try machine.compute(.add, result, try path(machine, next))
        // Newer versions of Python sum differently.
        if case .float = result { throw .refusal("'sum' of floats") }
      }
      return result
    },
    "batch": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("batch", ["linecount", "fill_with"], required: 1)
      guard let size = values[0]!.integer else { throw .refusal("'batch' by a \(values[0]!.typeName)") }
      let fill = values[1].flatMap { $0.isNone ? nil : $0 }
      return try machine.iterator(over: value) { (cursor) throws(TemplateError) in
        var batch: [Value] = []
        // Python closes a batch when it is full and more values follow, so a size of 0 or less only closes it at the
        // start.
        guard size > 0 else { throw .refusal("'batch' by \(size)") }
        while batch.count < size, let next = try cursor.next(machine) {
          try machine.charge(24)
          batch.append(next)
        }
        guard !batch.isEmpty else { return nil }
        if let fill, batch.count < size {
          guard size <= 1 << 24 else { throw .limit(reason: "a list of \(size) values") }
          try machine.charge((size - batch.count) * 24)
          batch += Array(repeating: fill, count: size - batch.count)
        }
        return try machine.list(batch)
      }
    },
    "slice": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("slice", ["slices", "fill_with"], required: 1)
      guard let slices = values[0]!.integer else { throw .refusal("'slice' by a \(values[0]!.typeName)") }
      guard slices > 0 else { throw .refusal("'slice' by \(slices)") }
      let fill = values[1].flatMap { $0.isNone ? nil : $0 }
      var number = 0
      var offset = 0
      var all: [Value]?
      return try machine.iterator(over: value) { (_) throws(TemplateError) in
        if all == nil { all = try machine.all(value) }
        guard number < slices, let all else { return nil }
        let (each, more) = (all.count / slices, all.count % slices)
        let start = offset + number * each
        if number < more { offset += 1 }
        var part = Array(all[start..<offset + (number + 1) * each])
        if let fill, number >= more { part.append(fill) }
        number += 1
        return try machine.list(part)
      }
    },
    "unique": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("unique", ["case_sensitive", "attribute"])
      let path = try Machine.Path(values[1])
      var seen: Set<Key> = []
      return try machine.iterator(over: value) { (cursor) throws(TemplateError) in
        while let next = try cursor.next(machine) {
          try machine.step()
          let key = try machine.folded(try path(machine, next), values[0]?.isTrue ?? false)
          try machine.requireHash(key)
          try machine.charge(64)
          if seen.insert(Key(key)).inserted { return next }
        }
        return nil
      }
    },
    "groupby": { (machine, value, arguments) throws(TemplateError) in
      try machine.groups(value, arguments)
    },
    "attr": { (machine, value, arguments) throws(TemplateError) in
      let name = try arguments.bind("attr", ["name"], required: 1)[0]!
      guard let name = name.text else { throw .refusal("'attr' of a \(name.typeName)") }
      return try machine.member(value, name) ?? .undefined(.member(name))
    },
  ]

  private static let length: Body = { (machine, value, arguments) throws(TemplateError) in
    _ = try arguments.positional("length", 0...0)
    switch value {
    case .undefined: return .int(0)
    case .string(let text):
      try machine.charge(reading: text.bytes.count)
      return .int(text.count)
    case .list(let items), .tuple(let items): return .int(items.count)
    case .dict(let dict): return .int(dict.count)
    case .object(let range as RangeObject): return .int(range.count)
    case .object(let view as DictView): return .int(view.dict.count)
    case .object(let loop as LoopObject): return try loop.attribute("length", machine) ?? .int(0)
    default: throw .failure("a \(value.typeName) has no length")
    }
  }

  private static let otherwise: Body = { (machine, value, arguments) throws(TemplateError) in
    let values = try arguments.bind("default", ["default_value", "boolean"])
    return value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue ? values[0] ?? .string("") : value
  }
}

extension Machine {
  fileprivate func extreme(
    _ name: String, _ value: Value, _ arguments: Arguments,
    _ isBefore: (Value, Value) throws(TemplateError) -> Bool
  ) throws(TemplateError) -> Value {
    let values = try arguments.bind(name, ["case_sensitive", "attribute"])
    let path = try Path(values[1])
    var cursor = try cursor(value)
    var best: (key: Value, value: Value)?
    while let next = try cursor.next(self) {
      try step()
      let key = try folded(try path(self, next), values[0]?.isTrue ?? false)
      if let current = best, !(try isBefore(key, current.key)) { continue }
      best = (key, next)
    }
    return best?.value ?? .undefined(.because("there is no item: the sequence is empty"))
  }

  /// Groups of values: each value with the list of its members.
  fileprivate func groups(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.bind("groupby", ["attribute", "default", "case_sensitive"], required: 1)
    let isCaseSensitive = values[2]?.isTrue ?? false
    let path = try Path(values[0], otherwise: values[1])
    var items: [(key: Value, value: Value)] = []
    for item in try all(value) {
      items.append((try folded(try path(self, item), isCaseSensitive), item))
    }
    var groups: [(key: Value, values: [Value])] = []
    for item in try sorted(items) {
      let key = try folded(try path(self, item), isCaseSensitive)
      if let last = groups.last, try equal(last.key, key) {
        groups[groups.count - 1].values.append(item)
      } else {
        groups.append((key, [item]))
      }
    }
    var result: [Value] = []
    for (_, values) in groups {
      result.append(try tuple([try path(self, values[0]), try list(values)]))
    }
    return try list(result)
  }
}
