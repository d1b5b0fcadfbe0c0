/// The tests of Jinja2, used with `is`.
enum Tests {
  typealias Body = Builtins.Test

  static let all: [String: Body] = kinds.merging(numbers) { $1 }.merging(comparisons) { $1 }

  private static func plain(
    _ name: String, _ body: @escaping @Sendable (Value) throws(TemplateError) -> Bool
  ) -> Body {
    { (_, value, arguments) throws(TemplateError) in
      _ = try arguments.positional(name, 0...0)
      return try body(value)
    }
  }

  private static let kinds: [String: Body] = [
    "defined": plain("defined") { (value) in !value.isUndefined },
    "undefined": plain("undefined") { (value) in value.isUndefined },
    "none": plain("none") { (value) in value.isNone },
    "boolean": plain("boolean") { (value) in if case .bool = value { true } else { false } },
    "true": plain("true") { (value) in if case .bool(true) = value { true } else { false } },
    "false": plain("false") { (value) in if case .bool(false) = value { true } else { false } },
    "integer": plain("integer") { (value) in if case .int = value { true } else { false } },
    "float": plain("float") { (value) in if case .float = value { true } else { false } },
    "number": plain("number") { (value) in
      if case .float = value { true } else { value.integer != nil }
    },
    "string": plain("string") { (value) in value.text != nil },
    "mapping": plain("mapping") { (value) in if case .dict = value { true } else { false } },
    "sequence": plain("sequence") { (value) throws(TemplateError) in
      switch value {
      case .string, .list, .tuple, .dict, .undefined: true
      case .object(is RangeObject): true
      case .object(let object) where object is LoopObject || object is DictView: false
      default: false
      }
    },
    "iterable": plain("iterable") { (value) throws(TemplateError) in
      switch value {
      case .string, .list, .tuple, .dict, .undefined: true
      case .object(let object):
        object is RangeObject || object is DictView || object is Iterator || object is LoopObject
      default: false
      }
    },
    "callable": plain("callable") { (value) throws(TemplateError) in
      switch value {
      case .undefined: true
      case .object(let object): object.isCallable
      default: false
      }
    },
    "escaped": plain("escaped") { (value) in value.text?.isSafe == true },
    "lower": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("lower", 0...0)
      return try machine.string(value).isLowercase()
    },
    "upper": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("upper", 0...0)
      return try machine.string(value).isUppercase()
    },
    "filter": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("filter", 0...0)
      try machine.requireHash(value)
      return value.text.map { Filters.exists($0.description) } ?? false
    },
    "test": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("test", 0...0)
      try machine.requireHash(value)
      return value.text.map { all[$0.description] != nil } ?? false
    },
    "sameas": { (_, value, arguments) throws(TemplateError) in
      let other = try arguments.bind("sameas", ["other"], required: 1)[0]!
      switch (value, other) {
      case (.none, .none): return true
      case (.bool(let a), .bool(let b)): return a == b
      case (.object(let a), .object(let b)): return a === b
      default:
        // Whether two equal values are the same object depends on Python's memory.
        if value.typeName == other.typeName { throw .refusal("'sameas' of two values of the type \(value.typeName)") }
        return false
      }
    },
  ]

  private static let numbers: [String: Body] = [
    "odd": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("odd", 0...0)
      return try machine.remainder(value, .int(2)).isSame(as: .int(1))
    },
    "even": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("even", 0...0)
      return try machine.remainder(value, .int(2)).isSame(as: .int(0))
    },
    "divisibleby": { (machine, value, arguments) throws(TemplateError) in
      let number = try arguments.bind("divisibleby", ["num"], required: 1)[0]!
      return try machine.remainder(value, number).isSame(as: .int(0))
    },
  ]

  private static func comparison(_ name: String, _ comparison: Comparison) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      try machine.compare(comparison, value, try arguments.positional(name, 1...1)[0])
    }
  }

  private static let comparisons: [String: Body] = [
    "==": comparison("==", .equal), "eq": comparison("eq", .equal), "equalto": comparison("equalto", .equal),
    "!=": comparison("!=", .notEqual), "ne": comparison("ne", .notEqual),
    "<": comparison("<", .less), "lt": comparison("lt", .less), "lessthan": comparison("lessthan", .less),
    "<=": comparison("<=", .lessOrEqual), "le": comparison("le", .lessOrEqual),
    ">": comparison(">", .greater), "gt": comparison("gt", .greater),
    "greaterthan": comparison("greaterthan", .greater),
    ">=": comparison(">=", .greaterOrEqual), "ge": comparison("ge", .greaterOrEqual),
    "in": { (machine, value, arguments) throws(TemplateError) in
      try machine.contains(try arguments.bind("in", ["seq"], required: 1)[0]!, value)
    },
  ]
}

extension Machine {
  fileprivate func remainder(_ value: Value, _ number: Value) throws(TemplateError) -> Value {
    try compute(.modulo, value, number)
  }
}
