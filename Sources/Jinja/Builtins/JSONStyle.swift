import Base

/// Formatting of `tojson`: same as Python's `json.dumps`.
struct JSONStyle {
  private let isASCII: Bool
  private let isSorted: Bool
  /// Indentation per level; nil: a single line.
  private let indentation: PythonText?
  private let itemSeparator: PythonText
  private let keySeparator: PythonText

  /// - Parameter values: `ensure_ascii`, `indent`, `separators`, `sort_keys`.
  init(_ values: [Value?], _ machine: Machine) throws(TemplateError) {
    isASCII = values[0]?.isTrue ?? false
    isSorted = values[3]?.isTrue ?? false
    switch values[1] ?? .none {
    case .none: indentation = nil
    case .string(let text): indentation = text
    case let value:
      if case .undefined(let absence) = value { throw .failure(absence.reason) }
      guard let n = value.integer else { throw .failure("'tojson' indented by a \(value.typeName)") }
      indentation = try machine.pad("", n, " ") { (_, missing) in (0, missing) }.text
    }
    switch values[2] ?? .none {
    case .none: (itemSeparator, keySeparator) = (indentation == nil ? ", " : ",", ": ")
    case .list(let items), .tuple(let items):
      guard items.count == 2, let item = items.values[0].text, let key = items.values[1].text else {
        throw .failure("'tojson' needs two separators")
      }
      (itemSeparator, keySeparator) = (item, key)
    default: throw .refusal("'tojson' with separators that are not a pair of strings")
    }
  }

  func text(_ value: Value, _ machine: Machine) throws(TemplateError) -> [UInt8] {
    var out: [UInt8] = []
    try write(value, 0, &out, machine)
    return out
  }

  private func write(_ value: Value, _ level: Int, _ out: inout [UInt8], _ machine: Machine) throws(TemplateError) {
    try machine.step()
    guard out.count <= machine.surroundings.limits.output else {
      throw .limit(reason: "more than \(machine.surroundings.limits.output) bytes of text")
    }
    switch value {
    case .none: out += Array("null".utf8)
    case .bool(let b): out += Array((b ? "true" : "false").utf8)
    case .int(let n): out += Array(String(n).utf8)
    case .float(let x): out += Array(x.pythonDescription.utf8)
    case .string(let text): try write(text, &out, machine)
    case .list(let items), .tuple(let items):
      try write(items.count, "[", "]", level, &out) { (i, out) throws(TemplateError) in
        try write(items.values[i], level + 1, &out, machine)
      }
    case .dict(let dict):
      var members = dict.members
      if isSorted {
        var items: [(key: Value, value: Value)] = []
        for (key, value) in members { items.append((key, .tuple(Items([key, value])))) }
        members = []
        for case .tuple(let pair) in try machine.sorted(items) { members.append((pair.values[0], pair.values[1])) }
      }
      try write(members.count, "{", "}", level, &out) { (i, out) throws(TemplateError) in
        try write(try Self.name(members[i].key), &out, machine)
        out += keySeparator.bytes
        try write(members[i].value, level + 1, &out, machine)
      }
    case .undefined, .object: throw .failure("'tojson' of a \(value.typeName)")
    }
  }

  private func write(
    _ count: Int, _ open: String, _ close: String, _ level: Int, _ out: inout [UInt8],
    _ element: (Int, inout [UInt8]) throws(TemplateError) -> Void
  ) throws(TemplateError) {
    func breakLine(_ level: Int) {
      guard let indentation else { return }
      out.append(0x0A)
      for _ in 0..<level { out += indentation.bytes }
    }
    out += Array(open.utf8)
    for i in 0..<count {
      if i > 0 { out += itemSeparator.bytes }
      breakLine(level + 1)
      try element(i, &out)
    }
    if count > 0 { breakLine(level) }
    out += Array(close.utf8)
  }

  private static func name(_ key: Value) throws(TemplateError) -> PythonText {
    switch key {
    case .string(let text): text
    case .none: "null"
    case .bool(let b): b ? "true" : "false"
    case .int(let n): PythonText(String(n))
    case .float(let x): PythonText(x.pythonDescription)
    default: throw .failure("'tojson' of a dict with a \(key.typeName) as a key")
    }
  }

  private func write(_ text: PythonText, _ out: inout [UInt8], _ machine: Machine) throws(TemplateError) {
    try machine.charge(text.bytes.count)
    out.append(UInt8(ascii: "\""))
    if !isASCII {
      for byte in text.bytes { JSON.escape(byte, to: &out) }
    } else {
      for scalar in text.scalars {
        if scalar.value < 0x80 {
          JSON.escape(UInt8(scalar.value), to: &out)
        } else {
          for unit in UTF16.encode(scalar)! { JSON.escape(unit: unit, to: &out) }
        }
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}
