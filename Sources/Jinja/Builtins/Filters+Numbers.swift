import Glibc

extension Filters {
  static let numbers: [String: Body] = [
    "abs": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("abs", 0...0)
      if case .undefined = value { throw .failure("'abs' of an undefined value") }
      if case .float(let x) = value { return .float(Swift.abs(x)) }
      guard let n = value.integer else { throw .failure("'abs' of a \(value.typeName)") }
      return n < 0 ? try machine.negate(.int(n)) : .int(n)
    },
    "int": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("int", ["default", "base"])
      let otherwise = values[0] ?? .int(0)
      switch value {
      case .undefined(let absence): throw .failure(absence.reason)
      case .bool, .int: return .int(value.integer!)
      case .float(let x): return .int(try machine.truncated(x))
      case .string(let text):
        guard let base = (values[1] ?? .int(10)).integer else { throw .refusal("a base that is not a number") }
        if let n = try machine.integer(text, base: base) { return .int(n) }
        return try machine.float(text).map { (x) throws(TemplateError) in .int(try machine.truncated(x)) } ?? otherwise
      default: return otherwise
      }
    },
    "float": { (machine, value, arguments) throws(TemplateError) in
      let otherwise = try arguments.bind("float", ["default"])[0] ?? .float(0)
      switch value {
      case .undefined(let absence): throw .failure(absence.reason)
      case .bool, .int: return .float(Double(value.integer!))
      case .float: return value
      case .string(let text): return try machine.float(text).map { .float($0) } ?? otherwise
      default: return otherwise
      }
    },
    "round": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("round", ["precision", "method"])
      let method = values[1]?.text ?? "common"
      guard values[1] == nil || values[1]?.text != nil, ["common", "ceil", "floor"].contains(method) else {
        throw .failure("unknown method of 'round'; known are common, ceil and floor")
      }
      if case .undefined(let absence) = value { throw .failure(absence.reason) }
      guard let precision = (values[0] ?? .int(0)).integer else { throw .refusal("a precision that is not a number") }
      return try machine.round(value, precision, method)
    },
  ]
}

extension Machine {
  fileprivate func truncated(_ x: Double) throws(TemplateError) -> Int {
    guard let n = Int(exactly: x.rounded(.towardZero)) else { throw .refusal("integers of more than 64 bits") }
    return n
  }

  /// The digits that Python's `int` and `float` accept, without white space around them.
  private func digits(_ text: PythonText) throws(TemplateError) -> String? {
    guard let stripped = try strip(text, .none, start: true, end: true).text, !stripped.isEmpty else { return nil }
    let string = stripped.description
    for scalar in string.unicodeScalars where scalar.value >= 0x80 && scalar.properties.numericType != nil {
      throw .refusal("digits that are not ASCII")
    }
    guard string.utf8.count <= 400 else { throw .refusal("a number of more than 400 digits") }
    // Single underscores are allowed between digits.
    let bytes = Array(string.utf8)
    for (i, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
      guard i > 0, i + 1 < bytes.count, Character(Unicode.Scalar(bytes[i - 1])).isHexDigit,
        Character(Unicode.Scalar(bytes[i + 1])).isHexDigit
      else { return nil }
    }
    return string.filter { $0 != "_" }
  }

  /// Python's `int(text, base)`; nil for anything but a number.
  fileprivate func integer(_ text: PythonText, base: Int) throws(TemplateError) -> Int? {
    guard base == 10 else { throw .refusal("numbers in a base other than 10") }
    guard let digits = try digits(text) else { return nil }
    let magnitude = digits.hasPrefix("-") || digits.hasPrefix("+") ? digits.dropFirst() : digits[...]
    guard !magnitude.isEmpty, magnitude.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    guard let n = Int(digits) else { throw .refusal("integers of more than 64 bits") }
    return n
  }

  /// Python's `float(text)`; nil for anything but a number.
  fileprivate func float(_ text: PythonText) throws(TemplateError) -> Double? {
    guard let digits = try digits(text) else { return nil }
    let lower = digits.lowercased()
    let magnitude = lower.hasPrefix("-") || lower.hasPrefix("+") ? lower.dropFirst() : lower[...]
    if ["inf", "infinity", "nan"].contains(String(magnitude)) { throw .refusal("numbers that are not finite") }
    guard magnitude.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.e".utf8.contains($0) }),
      magnitude.utf8.contains(where: { (0x30...0x39).contains($0) })
    else { return nil }
    var end: UnsafeMutablePointer<CChar>?
    let (x, isWhole) = lower.withCString { start in
      let x = strtod(start, &end)
      return (x, end.map { $0.pointee == 0 } ?? false)
    }
    return isWhole ? try finite(x) : nil
  }

  fileprivate func round(_ value: Value, _ precision: Int, _ method: PythonText) throws(TemplateError) -> Value {
    guard let x = double(value) else { throw .failure("'round' of a \(value.typeName)") }
    guard method == "common" else {
      guard (0...22).contains(precision) else { throw .refusal("'round' to \(precision) digits") }
      let scale = pow(10, Double(precision))
      let scaled: Double
      if let n = value.integer {
        scaled = Double(try whole(n.multipliedReportingOverflow(by: try power(10, precision))))
      } else {
        scaled = try finite(x * scale)
      }
      let whole = method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)
      // Python divides integers here.
      guard Swift.abs(whole) <= 9e15, scale <= 9e15 else { throw .refusal("'round' of numbers above 2**53") }
      return .float((whole == 0 ? 0 : whole) / scale)
    }
    if let n = value.integer {
      if precision >= 0 { return .int(n) }
      guard precision > -19 else { return .int(0) }
      let size = try power(10, -precision)
      let (quotient, remainder) = try divide(n, size)
      let half = size / 2
      let up = remainder > half || remainder == half && quotient % 2 != 0
      return .int(try whole((quotient + (up ? 1 : 0)).multipliedReportingOverflow(by: size)))
    }
    if precision > 300 { return value }
    guard precision >= 0 else {
      guard precision > -300 else { throw .refusal("'round' to \(precision) digits") }
      throw .refusal("'round' of a float to whole tens")
    }
    return .float(try finite(strtod(Printf.fixed(x, precision), nil)))
  }
}
