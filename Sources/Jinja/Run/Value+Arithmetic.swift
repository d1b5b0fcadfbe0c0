import Glibc

/// Integers beyond 64 bits and non-finite floats are refused.
extension Machine {
  func compute(_ operation: Arithmetic, _ a: Value, _ b: Value) throws(TemplateError) -> Value {
    if case (.add, .string(let a), .string(let b)) = (operation, a, b), a.isSafe || b.isSafe {
      try charge((a.bytes.count + b.bytes.count) * PythonText.longestEscape)
      return .string((a.htmlSafe + b.htmlSafe).safe)
    }
    for value in [a, b] { try requirePlain(value, "'\(operation.rawValue)'") }
    // For a string, "%" is a format, which may contain undefined values.
    if operation == .modulo, case .string(let format) = a { return try self.format(format, b) }
    for case .object(is DictView) in [a, b] { throw .refusal("sets from views of dicts") }
    for case .undefined(let absence) in [a, b] { throw .failure(absence.reason) }
    switch (operation, a, b) {
    case (.add, .string(let a), .string(let b)): return try make(a, b)
    case (.add, .list(let a), .list(let b)): return try list(a.values + b.values)
    case (.add, .tuple(let a), .tuple(let b)): return try tuple(a.values + b.values)
    case (.multiply, .string, _), (.multiply, .list, _), (.multiply, .tuple, _):
      if let n = b.integer { return try repeated(a, n) }
    case (.multiply, _, .string), (.multiply, _, .list), (.multiply, _, .tuple):
      if let n = a.integer { return try repeated(b, n) }
    default:
      if let n = a.integer, let m = b.integer { return try compute(operation, n, m) }
      if let x = double(a), let y = double(b) { return .float(try finite(try compute(operation, x, y))) }
    }
    if case .dict = a, case .dict = b { throw .failure("'\(operation.rawValue)' of two dicts") }
    throw .failure("'\(operation.rawValue)' of a \(a.typeName) and a \(b.typeName)")
  }

  func negate(_ value: Value) throws(TemplateError) -> Value {
    if case .undefined(let absence) = value { throw .failure(absence.reason) }
    if case .float(let x) = value { return .float(-x) }
    guard let n = value.integer else { throw .failure("'-' of a \(value.typeName)") }
    return .int(try whole(Int(0).subtractingReportingOverflow(n)))
  }

  func positive(_ value: Value) throws(TemplateError) -> Value {
    if case .undefined(let absence) = value { throw .failure(absence.reason) }
    if case .float = value { return value }
    guard let n = value.integer else { throw .failure("'+' of a \(value.typeName)") }
    return .int(n)
  }

  // MARK: Strings and lists

  private func make(_ a: PythonText, _ b: PythonText) throws(TemplateError) -> Value {
    try charge(a.bytes.count + b.bytes.count + 32)
    return .string(a + b)
  }

  private func repeated(_ value: Value, _ times: Int) throws(TemplateError) -> Value {
    let times = max(times, 0)
    func size(_ count: Int, _ each: Int) throws(TemplateError) -> Int {
      let (elements, overflow) = count.multipliedReportingOverflow(by: times)
      let (bytes, again) = elements.multipliedReportingOverflow(by: each)
      if overflow || again { throw .limit(reason: "a value repeated \(times) times") }
      return bytes
    }
    switch value {
    case .string(let text):
      try charge(try size(text.bytes.count, 1))
      return .text(text.bytes(times: times))
    case .list(let items), .tuple(let items):
      try charge(try size(items.count, 24))
      var values: [Value] = []
      if items.count > 0 { for _ in 0..<times { values += items.values } }
      if case .list = value { return try list(values) }
      return try tuple(values)
    default: throw .failure("'*' of a \(value.typeName)")
    }
  }

  // MARK: Whole numbers

  func whole(_ result: (partialValue: Int, overflow: Bool)) throws(TemplateError) -> Int {
    if result.overflow { throw .refusal("integers of more than 64 bits") }
    return result.partialValue
  }

  private func compute(_ operation: Arithmetic, _ n: Int, _ m: Int) throws(TemplateError) -> Value {
    switch operation {
    case .add: return .int(try whole(n.addingReportingOverflow(m)))
    case .subtract: return .int(try whole(n.subtractingReportingOverflow(m)))
    case .multiply: return .int(try whole(n.multipliedReportingOverflow(by: m)))
    case .divide:
      guard m != 0 else { throw .failure("division by zero") }
      let exact = 1 << 53
      guard n.magnitude <= exact, m.magnitude <= exact else { throw .refusal("a division of numbers above 2**53") }
      return .float(Double(n) / Double(m))
    case .floorDivide: return .int(try divide(n, m).quotient)
    case .modulo: return .int(try divide(n, m).remainder)
    case .power:
      if m < 0 {
        guard n != 0 else { throw .failure("0 to a negative power") }
        return .float(try finite(pow(Double(n), Double(m))))
      }
      return .int(try power(n, m))
    }
  }

  /// The quotient is rounded down, so the remainder has the divisor's sign.
  func divide(_ n: Int, _ m: Int) throws(TemplateError) -> (quotient: Int, remainder: Int) {
    guard m != 0 else { throw .failure("division by zero") }
    if m == -1 { return (try whole(Int(0).subtractingReportingOverflow(n)), 0) }
    let (quotient, remainder) = n.quotientAndRemainder(dividingBy: m)
    return remainder != 0 && (remainder < 0) != (m < 0) ? (quotient - 1, remainder + m) : (quotient, remainder)
  }

  func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> Int {
    if exponent > 63, base.magnitude > 1 { throw .refusal("integers of more than 64 bits") }
    if base.magnitude <= 1 { return base == -1 ? (exponent % 2 == 0 ? 1 : -1) : exponent == 0 ? 1 : base }
    var result = 1
    for _ in 0..<exponent { result = try whole(result.multipliedReportingOverflow(by: base)) }
    return result
  }

  // MARK: Floats

  func double(_ value: Value) -> Double? {
    if case .float(let x) = value { return x }
    return value.integer.map(Double.init)
  }

  func finite(_ x: Double) throws(TemplateError) -> Double {
    guard x.isFinite else { throw .refusal("numbers that are not finite") }
    return x
  }

  private func compute(_ operation: Arithmetic, _ x: Double, _ y: Double) throws(TemplateError) -> Double {
    switch operation {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide:
      guard y != 0 else { throw .failure("division by zero") }
      return x / y
    case .floorDivide: return try divide(x, y).quotient
    case .modulo: return try divide(x, y).remainder
    case .power:
      if x == 0, y < 0 { throw .failure("0 to a negative power") }
      if x < 0, y != y.rounded() { throw .refusal("complex numbers") }
      return pow(x, y)
    }
  }

  /// Same as CPython's `float_divmod`.
  private func divide(_ x: Double, _ y: Double) throws(TemplateError) -> (quotient: Double, remainder: Double) {
    guard y != 0 else { throw .failure("division by zero") }
    var remainder = fmod(x, y)
    var quotient = (x - remainder) / y
    if remainder != 0 {
      if (y < 0) != (remainder < 0) {
        remainder += y
        quotient -= 1
      }
    } else {
      remainder = copysign(0, y)
    }
    if quotient != 0 {
      let floor = quotient.rounded(.down)
      quotient = quotient - floor > 0.5 ? floor + 1 : floor
    } else {
      quotient = copysign(0, x / y)
    }
    return (quotient, remainder)
  }
}
