// Python's `str(value)` and `repr(value)`.

extension Machine {
  /// The text of a value.
  func string(_ value: Value) throws(TemplateError) -> PythonText {
    switch value {
    case .string(let text): return text
    case .undefined: return ""
    default: break
    }
    var bytes: [UInt8] = []
    try represent(value, &bytes)
    try charge(bytes.count + 32)
    return PythonText(bytes: bytes)
  }

  func representation(_ value: Value) throws(TemplateError) -> PythonText {
    var bytes: [UInt8] = []
    try represent(value, &bytes)
    try charge(bytes.count + 32)
    return PythonText(bytes: bytes)
  }

  /// Appends `repr(value)`.
  private func represent(_ value: Value, _ out: inout [UInt8]) throws(TemplateError) {
    try step()
    func list(_ values: [Value], _ open: String, _ close: String) throws(TemplateError) {
      out += Array(open.utf8)
      for (i, value) in values.enumerated() {
        if i > 0 { out += [0x2C, 0x20] }
        try represent(value, &out)
      }
      out += Array(close.utf8)
    }
    switch value {
    case .undefined: out += Array("Undefined".utf8)
    case .none: out += Array("None".utf8)
    case .bool(let b): out += Array((b ? "True" : "False").utf8)
    case .int(let n): out += Array(String(n).utf8)
    case .float(let x): out += Array(x.pythonDescription.utf8)
    case .string(let text):
      try requirePlain(value, "'repr'")
      try charge(text.bytes.count)
      try text.represent(&out)
    case .list(let items): try list(items.values, "[", "]")
    case .tuple(let items): try list(items.values, "(", items.count == 1 ? ",)" : ")")
    case .dict(let dict):
      out.append(UInt8(ascii: "{"))
      for (i, (key, value)) in dict.members.enumerated() {
        if i > 0 { out += [0x2C, 0x20] }
        try represent(key, &out)
        out += [0x3A, 0x20]
        try represent(value, &out)
      }
      out.append(UInt8(ascii: "}"))
    case .object(let range as RangeObject):
      out += Array("range(\(range.start), \(range.stop)\(range.step == 1 ? "" : ", \(range.step)"))".utf8)
    case .object(let view as DictView): try list(view.values, "dict_\(view.kind.rawValue)([", "])")
    case .object(let object): throw .refusal("the text of a \(object.typeName)")
    }
    // Lists may contain the same list many times.
    guard out.count <= surroundings.limits.output else {
      throw .limit(reason: "more than \(surroundings.limits.output) bytes of text")
    }
  }
}

extension Double {
  /// Python's `repr`: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16.
  var pythonDescription: String {
    let text = description
    guard isFinite else { return text }
    var digits: [UInt8] = []
    var point: Int?
    var exponent = 0
    let parts = text.split(separator: "e")
    if parts.count == 2 { exponent = Int(parts[1])! }
    for c in parts[0].utf8 {
      switch c {
      case UInt8(ascii: "-"): break
      case UInt8(ascii: "."): point = digits.count
      default: digits.append(c)
      }
    }
    exponent += point ?? digits.count
    let zeros = digits.prefix { $0 == 0x30 }.count
    digits.removeFirst(zeros)
    exponent -= zeros
    while digits.last == 0x30 { digits.removeLast() }
    let sign = self.sign == .minus ? "-" : ""
    guard !digits.isEmpty else { return sign + "0.0" }
    let mantissa = String(decoding: digits, as: UTF8.self)
    // The value is 0.mantissa times ten to the exponent.
    if exponent - 1 < -4 || exponent - 1 >= 16 {
      let rest = mantissa.dropFirst()
      let power = exponent - 1
      let size = Swift.abs(power)
      return sign + mantissa.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e" + (power < 0 ? "-" : "+")
        + (size < 10 ? "0" : "") + String(size)
    }
    if exponent <= 0 { return sign + "0." + String(repeating: "0", count: -exponent) + mantissa }
    if exponent >= digits.count {
      return sign + mantissa + String(repeating: "0", count: exponent - digits.count) + ".0"
    }
    return sign + mantissa.prefix(exponent) + "." + mantissa.dropFirst(exponent)
  }
}

extension PythonText {
  /// Appends Python's `repr` of a string.
  fileprivate func represent(_ out: inout [UInt8]) throws(TemplateError) {
    let quote: UInt8 = bytes.contains(0x27) && !bytes.contains(0x22) ? 0x22 : 0x27
    func escape(_ scalar: Unicode.Scalar) {
      let digits = String(scalar.value, radix: 16)
      let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
      out += Array(("\\" + letter + String(repeating: "0", count: width - digits.utf8.count) + digits).utf8)
    }
    out.append(quote)
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\\": out += [0x5C, 0x5C]
      case "\n": out += [0x5C, UInt8(ascii: "n")]
      case "\r": out += [0x5C, UInt8(ascii: "r")]
      case "\t": out += [0x5C, UInt8(ascii: "t")]
      case _ where scalar.value == UInt32(quote): out += [0x5C, quote]
      case " "..."~": out.append(UInt8(scalar.value))
      case _ where scalar.value < 0x80: escape(scalar)
      default:
        try scalar.requireKnown()
        if scalar.isPythonPrintable { out += Array(UTF8.encode(scalar)!) } else { escape(scalar) }
      }
    }
    out.append(quote)
  }

  /// Maximum bytes of HTML for one byte.
  static let longestEscape = 5

  /// Unchanged if it is already safe.
  var htmlSafe: PythonText { isSafe ? self : escaped.safe }

  /// Escaped for HTML, as in markupsafe.
  var escaped: PythonText {
    var result: [UInt8] = []
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "&"): result += Array("&amp;".utf8)
      case UInt8(ascii: "<"): result += Array("&lt;".utf8)
      case UInt8(ascii: ">"): result += Array("&gt;".utf8)
      case UInt8(ascii: "'"): result += Array("&#39;".utf8)
      case UInt8(ascii: "\""): result += Array("&#34;".utf8)
      default: result.append(byte)
      }
    }
    return PythonText(bytes: result)
  }
}

extension Unicode.Scalar {
  fileprivate var isPythonPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
      self == " "
    default: true
    }
  }
}
