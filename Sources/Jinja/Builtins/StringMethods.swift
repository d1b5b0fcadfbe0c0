extension Methods {
  static let string = Methods(
    here: cases.merging(parts) { $1 }.merging(searches) { $1 }.merging(tests) { $1 },
    elsewhere: [
      "casefold", "encode", "expandtabs", "format_map", "isidentifier", "isprintable", "maketrans", "swapcase",
      "translate",
    ])

  /// A method without arguments.
  private static func plain(
    _ name: String, _ body: @escaping @Sendable (PythonText) throws(TemplateError) -> PythonText
  ) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional(name, 0...0)
      guard let text = value.text else { return value }
      try machine.charge(text.bytes.count)
      return try machine.make(try body(text))
    }
  }

  private static let cases: [PythonText: Body] = [
    "upper": plain("upper") { (text) throws(TemplateError) in try text.uppercased() },
    "lower": plain("lower") { (text) throws(TemplateError) in try text.lowercased() },
    "title": plain("title") { (text) throws(TemplateError) in try text.titlecased() },
    "capitalize": plain("capitalize") { (text) throws(TemplateError) in try text.capitalized() },
  ]

  private static func test(
    _ name: String, _ body: @escaping @Sendable (PythonText) throws(TemplateError) -> Bool
  ) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      _ = try arguments.positional(name, 0...0)
      guard let text = value.text else { return value }
      try machine.charge(reading: text.bytes.count * 8)
      return .bool(try body(text))
    }
  }

  /// Whether a text is not empty and all of its code points have a property.
  private static func all(
    _ name: String, _ isOfKind: @escaping @Sendable (Unicode.Scalar) -> Bool
  ) -> Body {
    test(name) { (text) throws(TemplateError) in
      for scalar in text.scalars {
        try scalar.requireKnown()
        if !isOfKind(scalar) { return false }
      }
      return !text.isEmpty
    }
  }

  private static let tests: [PythonText: Body] = [
    "isspace": all("isspace", \.isPythonSpace),
    "isalpha": all("isalpha", \.isPythonLetter),
    "isdecimal": all("isdecimal") { $0.properties.numericType == .decimal },
    "isdigit": all("isdigit") { [.decimal, .digit].contains($0.properties.numericType) },
    "isnumeric": all("isnumeric") { $0.properties.numericType != nil },
    "isalnum": all("isalnum") { $0.isPythonLetter || $0.properties.numericType != nil },
    "isascii": test("isascii") { (text) in text.isASCII },
    "islower": test("islower") { (text) throws(TemplateError) in try text.isLowercase() },
    "isupper": test("isupper") { (text) throws(TemplateError) in try text.isUppercase() },
    "istitle": test("istitle") { (text) throws(TemplateError) in try text.isTitlecase() },
  ]

  // MARK: Parts

  private static func strip(_ name: String, _ start: Bool, _ end: Bool) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional(name, 0...1)
      guard let text = value.text else { return value }
      return try machine.strip(text, values.first ?? .none, start: start, end: end)
    }
  }

  private static func split(_ name: String, fromEnd: Bool) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.bind(name, ["sep", "maxsplit"])
      guard let text = value.text else { return value }
      guard let most = (values[1] ?? .int(-1)).integer else { throw .failure("'\(name)' needs a number") }
      switch values[0] ?? .none {
      case .none: return try machine.words(of: text, most: most, fromEnd: fromEnd)
      case .string(let separator):
        return try machine.split(text, separator, most: most, fromEnd: fromEnd)
      case let other: throw .failure("'\(name)' by a \(other.typeName)")
      }
    }
  }

  private static func partition(_ name: String, fromEnd: Bool) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      let separator = try arguments.positional(name, 1...1)[0]
      guard let text = value.text, let separator = separator.text, !separator.isEmpty else {
        throw .failure("'\(name)' needs a string that is not empty")
      }
      try machine.charge(text.bytes.count + 96)
      let found = fromEnd ? text.lastByte(of: separator) : text.firstByte(of: separator)
      guard let found else {
        return try machine.tuple(fromEnd ? [.string(""), .string(""), value] : [value, .string(""), .string("")])
      }
      return try machine.tuple([
        .text(Array(text.bytes[..<found])), .string(separator),
        .text(Array(text.bytes[(found + separator.bytes.count)...])),
      ])
    }
  }

  private static func justify(_ name: String, _ pad: @escaping @Sendable (Int, Int) -> (left: Int, right: Int)) -> Body
  {
    { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional(name, 1...2)
      guard let text = value.text, let width = values[0].integer else { throw .failure("'\(name)' needs a width") }
      var fill: PythonText = " "
      if values.count > 1 {
        guard let given = values[1].text, given.count == 1 else { throw .failure("'\(name)' needs one character") }
        fill = given
      }
      return try machine.pad(text, width, fill, pad)
    }
  }

  private static let parts: [PythonText: Body] = [
    "strip": strip("strip", true, true), "lstrip": strip("lstrip", true, false),
    "rstrip": strip("rstrip", false, true),
    "split": split("split", fromEnd: false), "rsplit": split("rsplit", fromEnd: true),
    "partition": partition("partition", fromEnd: false), "rpartition": partition("rpartition", fromEnd: true),
    "splitlines": { (machine, value, arguments) throws(TemplateError) in
      let keepsEnds = try arguments.bind("splitlines", ["keepends"])[0] ?? .bool(false)
      guard let text = value.text else { return value }
      guard let keepsEnds = keepsEnds.integer else { throw .failure("'splitlines' needs a boolean") }
      return try machine.lines(of: text, keepsEnds: keepsEnds != 0)
    },
    "removeprefix": { (machine, value, arguments) throws(TemplateError) in
      guard let text = value.text, let prefix = try arguments.positional("removeprefix", 1...1)[0].text else {
        throw .failure("'removeprefix' needs a string")
      }
      return text.hasPrefix(prefix) ? try machine.make(Array(text.bytes.dropFirst(prefix.bytes.count))) : value
    },
    "removesuffix": { (machine, value, arguments) throws(TemplateError) in
      guard let text = value.text, let suffix = try arguments.positional("removesuffix", 1...1)[0].text else {
        throw .failure("'removesuffix' needs a string")
      }
      return text.hasSuffix(suffix) ? try machine.make(Array(text.bytes.dropLast(suffix.bytes.count))) : value
    },
    "ljust": justify("ljust") { (_, missing) in (0, missing) },
    "rjust": justify("rjust") { (_, missing) in (missing, 0) },
    "center": justify("center", Machine.centering),
    "zfill": { (machine, value, arguments) throws(TemplateError) in
      guard let text = value.text, let width = try arguments.positional("zfill", 1...1)[0].integer else {
        throw .failure("'zfill' needs a width")
      }
      let hasSign = text.hasPrefix("-") || text.hasPrefix("+")
      let digits = hasSign ? PythonText(bytes: text.bytes.dropFirst()) : text
      let padded = try machine.pad(digits, width - (hasSign ? 1 : 0), "0") { (_, missing) in (missing, 0) }
      return hasSign ? try machine.make([text.bytes[0]] + (padded.text?.bytes ?? [])) : padded
    },
    "join": { (machine, value, arguments) throws(TemplateError) in
      let values = try machine.all(try arguments.positional("join", 1...1)[0])
      guard let separator = value.text else { return value }
      var texts: [PythonText] = []
      for value in values {
        guard let text = value.text else { throw .failure("'join' of a \(value.typeName)") }
        texts.append(text)
      }
      return try machine.joined(texts, separator)
    },
    "replace": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional("replace", 2...3)
      guard let text = value.text, let old = values[0].text, let new = values[1].text,
        let most = (values.count > 2 ? values[2] : .int(-1)).integer
      else { throw .failure("'replace' needs two strings") }
      return try machine.replace(text, old, new, most: most)
    },
    "format": { (machine, value, arguments) throws(TemplateError) in
      guard let text = value.text else { return value }
      return try machine.format(text, arguments)
    },
  ]

  // MARK: Searches

  /// The range in which `find` and others search: the part of a text between two optional bounds.
  private static func part(
    _ text: PythonText, _ bounds: ArraySlice<Value>
  ) throws(TemplateError) -> (bytes: Range<Int>, scalars: Int)? {
    guard !bounds.isEmpty else { return (0..<text.bytes.count, 0) }
    let count = text.count
    func place(_ value: Value?, _ otherwise: Int) throws(TemplateError) -> Int {
      guard let value, !value.isNone else { return otherwise }
      guard let n = value.integer else { throw .failure("a bound that is a \(value.typeName)") }
      return n < 0 ? max(n &+ count, 0) : n
    }
    let start = try place(bounds.first, 0)
    let end = min(try place(bounds.dropFirst().first, count), count)
    guard start <= end else { return nil }
    return (text.byte(ofScalar: start)..<text.byte(ofScalar: end), start)
  }

  private static func find(_ name: String, last: Bool, orFails: Bool) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional(name, 1...3)
      guard let text = value.text, let sought = values[0].text else { throw .failure("'\(name)' needs a string") }
      try machine.charge(reading: text.bytes.count * 4)
      if let (bytes, _) = try part(text, values.dropFirst()) {
        let here = PythonText(bytes: text.bytes[..<bytes.upperBound])
        let found =
          last ? here.lastByte(of: sought) : here.firstByte(of: sought, from: bytes.lowerBound)
        if let found, found >= bytes.lowerBound { return .int(text.scalar(ofByte: found)) }
      }
      if orFails { throw .failure("'\(name)' did not find the string") }
      return .int(-1)
    }
  }

  private static func edge(
    _ name: String, _ holds: @escaping @Sendable (PythonText, PythonText) -> Bool
  ) -> Body {
    { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional(name, 1...3)
      guard let text = value.text else { return value }
      var sought: [PythonText] = []
      switch values[0] {
      case .string(let text): sought = [text]
      case .tuple(let items):
        for item in items.values {
          guard let text = item.text else { throw .failure("'\(name)' needs strings") }
          sought.append(text)
        }
      default: throw .failure("'\(name)' needs a string or a tuple of strings")
      }
      var here = text
      if values.count > 1 {
        try machine.charge(text.bytes.count)
        guard let (bytes, _) = try part(text, values.dropFirst()) else { return .bool(false) }
        here = PythonText(bytes: text.bytes[bytes])
      }
      return .bool(sought.contains { holds(here, $0) })
    }
  }

  private static let searches: [PythonText: Body] = [
    "find": find("find", last: false, orFails: false), "rfind": find("rfind", last: true, orFails: false),
    "index": find("index", last: false, orFails: true), "rindex": find("rindex", last: true, orFails: true),
    "startswith": edge("startswith") { $0.hasPrefix($1) }, "endswith": edge("endswith") { $0.hasSuffix($1) },
    "count": { (machine, value, arguments) throws(TemplateError) in
      let values = try arguments.positional("count", 1...3)
      guard let text = value.text, let sought = values[0].text else { throw .failure("'count' needs a string") }
      try machine.charge(reading: text.bytes.count * 4)
      guard let (bytes, _) = try part(text, values.dropFirst()) else { return .int(0) }
      let here = PythonText(bytes: text.bytes[bytes])
      guard !sought.isEmpty else { return .int(here.count + 1) }
      var count = 0
      var position = 0
      while let found = here.firstByte(of: sought, from: position) {
        count += 1
        position = found + sought.bytes.count
      }
      return .int(count)
    },
  ]
}
