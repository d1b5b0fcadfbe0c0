import Glibc

// Python's `format % values`.

extension Machine {
  func format(_ format: PythonText, _ values: Value) throws(TemplateError) -> Value {
    try charge(format.bytes.count * 5)
    var reader = PercentFormat(format.scalars, values)
    while let scalar = reader.next() {
      guard scalar == "%" else {
        reader.out.append(scalar)
        continue
      }
      try reader.directive(self)
      try charge(reader.out.bytes.count / 16)
      guard reader.out.bytes.count <= surroundings.limits.output else { throw .limit(reason: "the text is too long") }
    }
    try reader.end()
    return try make(reader.out)
  }
}

private struct PercentFormat {
  private let format: [Unicode.Scalar]
  private var position = 0
  private let values: Value
  private var used = 0
  private var usesNames = false
  var out: PythonText = ""

  init(_ format: [Unicode.Scalar], _ values: Value) {
    self.format = format
    self.values = values
  }

  mutating func next() -> Unicode.Scalar? {
    guard position < format.count else { return nil }
    position += 1
    return format[position - 1]
  }

  /// Throws if values are left over.
  func end() throws(TemplateError) {
    if usesNames { return }
    switch values {
    case .tuple(let items): if used < items.count { throw .failure("more values than the format has fields") }
    // Python treats these as mappings.
    case .dict, .list, .undefined: return
    case .object: if used == 0 { throw .refusal("a format without fields for a \(values.typeName)") }
    default: if used == 0 { throw .failure("more values than the format has fields") }
    }
  }

  private mutating func value() throws(TemplateError) -> Value {
    defer { used += 1 }
    if case .tuple(let items) = values {
      guard used < items.count else { throw .failure("fewer values than the format has fields") }
      return items.values[used]
    }
    guard used == 0 else { throw .failure("fewer values than the format has fields") }
    return values
  }

  private mutating func name() throws(TemplateError) -> PythonText {
    var depth = 1
    var name: PythonText = ""
    while let scalar = next() {
      if scalar == "(" { depth += 1 }
      if scalar == ")" { depth -= 1 }
      if depth == 0 { return name }
      name.append(scalar)
    }
    throw .failure("an unterminated name in a format")
  }

  private mutating func number() throws(TemplateError) -> Int? {
    if position < format.count, format[position] == "*" { throw .refusal("a field width given as a value") }
    var digits = ""
    while position < format.count, format[position].isDigit { digits.unicodeScalars.append(next()!) }
    if digits.isEmpty { return nil }
    guard let n = Int(digits), n <= 10_000 else { throw .limit(reason: "a width of \(digits)") }
    return n
  }

  /// After "%".
  mutating func directive(_ machine: Machine) throws(TemplateError) {
    guard position < format.count else { throw .failure("a format that ends with '%'") }
    var named: Value?
    if format[position] == "(" {
      position += 1
      let name = try name()
      guard case .dict(let dict) = values else { throw .failure("a format with names needs a dict") }
      guard let value = dict[name] else { throw .failure("no value '\(name)'") }
      usesNames = true
      named = value
    }
    var flags: Set<Unicode.Scalar> = []
    while position < format.count, "-+ #0".unicodeScalars.contains(format[position]) { flags.insert(next()!) }
    let width = try number() ?? 0
    var precision: Int?
    if position < format.count, format[position] == "." {
      position += 1
      precision = try number() ?? 0
    }
    if position < format.count, "hlL".unicodeScalars.contains(format[position]) { position += 1 }
    guard let kind = next() else { throw .failure("a format that ends too early") }
    if kind == "%" {
      guard flags.isEmpty, width == 0, precision == nil, named == nil else { throw .refusal("'%%' with a width") }
      return out.append(PythonText("%"))
    }
    let value = if let named { named } else { try value() }
    var text: PythonText
    var isNumber = true
    switch kind {
    case "s", "r":
      text = kind == "s" ? try machine.string(value) : try machine.representation(value)
      if let precision { text = PythonText(bytes: text.bytes[..<text.byte(ofScalar: precision)]) }
      isNumber = false
    case "d", "i", "u":
      guard precision == nil else { throw .refusal("a precision for an integer") }
      switch value {
      case .undefined(let absence): throw .failure(absence.reason)
      case .float(let x):
        guard let n = Int(exactly: x.rounded(.towardZero)) else { throw .refusal("integers of more than 64 bits") }
        text = PythonText(String(n))
      default:
        guard let n = value.integer else { throw .failure("'%\(kind)' of a \(value.typeName)") }
        text = PythonText(String(n))
      }
    case "f", "F", "e", "E", "g", "G":
      if case .undefined(let absence) = value { throw .failure(absence.reason) }
      guard !flags.contains("#") else { throw .refusal("'#' in a format") }
      guard let x = machine.double(value) else { throw .failure("'%\(kind)' of a \(value.typeName)") }
      text = PythonText(Printf.string("%.\(precision ?? 6)\(kind)", x))
    case "x", "X", "o":
      guard let n = value.integer, !flags.contains("#"), precision == nil else { throw .refusal("'%\(kind)'") }
      text = PythonText(String(n, radix: kind == "o" ? 8 : 16, uppercase: kind == "X"))
    case "c", "a": throw .refusal("'%\(kind)' in a format")
    default: throw .failure("'%\(kind)' in a format")
    }
    if isNumber, text.bytes.first != UInt8(ascii: "-") {
      if flags.contains("+") { text = "+" + text } else if flags.contains(" ") { text = " " + text }
    }
    let missing = max(width - text.count, 0)
    let fill = PythonText(String(repeating: " ", count: missing))
    if flags.contains("-") {
      text.append(fill)
    } else if flags.contains("0"), isNumber {
      let sign = text.bytes.first.map { "+- ".utf8.contains($0) } == true ? 1 : 0
      text.bytes.insert(contentsOf: [UInt8](repeating: 0x30, count: missing), at: sign)
    } else {
      text = fill + text
    }
    out.append(text)
  }
}
