extension Filters {
  /// A filter without arguments.
  private static func plain(
    _ name: String, _ body: @escaping @Sendable (PythonText) throws(TemplateError) -> PythonText
  ) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional(name, 0...0)
      let text = try machine.string(value)
      try machine.charge(text.bytes.count * PythonText.longestEscape)
      return .string(try body(text))
    }
  }

  private static let escape = plain("escape") { (text) in text.htmlSafe }

  static let texts: [String: Body] = [
    "upper": plain("upper") { (text) throws(TemplateError) in try text.uppercased() },
    "lower": plain("lower") { (text) throws(TemplateError) in try text.lowercased() },
    "capitalize": plain("capitalize") { (text) throws(TemplateError) in try text.capitalized() },
    "title": plain("title") { (text) throws(TemplateError) in try text.titleWords() },
    "string": plain("string") { (text) in text },
    "safe": plain("safe") { (text) in text.safe },
    "escape": escape, "e": escape,
    "forceescape": plain("forceescape") { (text) in text.escaped.safe },
    "trim": { (machine, value, arguments) throws(TemplateError) in
      let characters = try arguments.bind("trim", ["chars"])[0]
      return try machine.strip(try machine.string(value), characters ?? .none, start: true, end: true)
    },
    "replace": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("replace", ["old", "new", "count"], required: 2)
      let most: Int
      switch values[2] ?? .none {
      case .none: most = -1
      case let count:
        guard let n = count.integer else { throw .failure("'replace' needs a number") }
        most = n
      }
      return try machine.replace(
        try machine.string(value), try machine.string(values[0]!), try machine.string(values[1]!), most: most)
    },
    "center": { (machine, value, arguments) throws(TemplateError) in
      guard let width = (try arguments.bind("center", ["width"])[0] ?? .int(80)).integer else {
        throw .failure("'center' needs a width")
      }
      return try machine.pad(try machine.string(value), width, " ", Machine.centering)
    },
    "indent": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("indent", ["width", "first", "blank"])
      if case .undefined(let absence) = value { throw .failure(absence.reason) }
      guard let text = value.text else { throw .failure("'indent' of a \(value.typeName)") }
      let indentation: PythonText
      switch values[0] ?? .int(4) {
      case .string(let text): indentation = text
      case let width:
        guard let n = width.integer else { throw .failure("'indent' by a \(width.typeName)") }
        indentation = try machine.pad("", n, " ") { (_, missing) in (0, missing) }.text!
      }
      return try machine.indent(
        text, by: indentation, first: values[1]?.isTrue ?? false, blank: values[2]?.isTrue ?? false)
    },
    "truncate": { (machine, value, arguments) throws(TemplateError) in
      try machine.truncate(value, arguments)
    },
    "wordcount": { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional("wordcount", 0...0)
      let text = try machine.string(value)
      try machine.charge(text.bytes.count * PythonText.longestEscape)
      var count = 0
      var isInWord = false
      for scalar in text.scalars {
        try scalar.requireKnown()
        let isWord = scalar == "_" || scalar.isPythonLetter || scalar.properties.numericType != nil
        if isWord, !isInWord { count += 1 }
        isInWord = isWord
      }
      return .int(count)
    },
    "format": { (machine, value, arguments) throws(TemplateError) in
      guard arguments.positional.isEmpty || arguments.named.isEmpty else {
        throw .failure("'format' takes either named or positional arguments")
      }
      let values: Value =
        arguments.named.isEmpty
        ? try machine.tuple(arguments.positional)
        : .dict(try machine.dict(arguments.named.map { (.string($0.name), $0.value) }))
      return try machine.format(try machine.string(value), values)
    },
    "tojson": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])
      let style = try JSONStyle(values, machine)
      return try machine.make(try style.text(value, machine))
    },
  ]
}

extension PythonText {
  /// As the filter `title`: splits words at blanks, "-", "(", "{", "[" and "<".
  fileprivate func titleWords() throws(TemplateError) -> PythonText {
    var result = PythonText(bytes: [])
    var word: [Unicode.Scalar] = []
    func end() throws(TemplateError) {
      guard let first = word.first else { return }
      result.append(try PythonText(first).uppercased())
      result.append(try PythonText(word.dropFirst()).lowercased())
      word = []
    }
    for scalar in scalars {
      if scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar) {
        try end()
        result.append(scalar)
      } else {
        word.append(scalar)
      }
    }
    try end()
    return result
  }
}

extension Machine {
  fileprivate func indent(
    _ text: PythonText, by indentation: PythonText, first: Bool, blank: Bool
  ) throws(TemplateError) -> Value {
    guard case .list(let lines) = try lines(of: text + "\n", keepsEnds: false) else { return .string(text) }
    var bytes: [UInt8] = []
    for (i, line) in lines.values.enumerated() {
      guard let line = line.text else { continue }
      try charge(line.bytes.count + indentation.bytes.count + 1)
      if i > 0 { bytes.append(0x0A) }
      if i == 0 ? first : blank || !line.isEmpty { bytes += indentation.bytes }
      bytes += line.bytes
    }
    return .text(bytes)
  }

  fileprivate func truncate(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.bind("truncate", ["length", "killwords", "end", "leeway"])
    if case .undefined = value { throw .refusal("'truncate' of an undefined value") }
    guard let text = value.text else { throw .refusal("'truncate' of a \(value.typeName)") }
    let leeway = values[3].flatMap { $0.isNone ? nil : $0 } ?? .int(5)
    guard let length = (values[0] ?? .int(255)).integer, let end = (values[2] ?? .string("...")).text,
      let leeway = leeway.integer
    else { throw .failure("'truncate' needs numbers and a string") }
    let endCount = end.count
    guard length >= endCount, leeway >= 0 else { throw .failure("'truncate' to a length that is too small") }
    try charge(text.bytes.count * 2)
    let (most, overflow) = length.addingReportingOverflow(leeway)
    if overflow || text.count <= most { return value }
    let kept = PythonText(bytes: text.bytes[..<text.byte(ofScalar: length - endCount)])
    if values[1]?.isTrue ?? false { return try make(kept + end) }
    let cut = kept.lastByte(of: " ") ?? kept.bytes.count
    return try make(PythonText(bytes: kept.bytes[..<cut]) + end)
  }
}
