// Tokens inside "{{" and "{%".

extension Lexer {
  /// After a tag's opening; reads past its end.
  mutating func tag(isBlock: Bool) throws(TemplateError) {
    /// Closing brackets that are expected: a tag cannot end inside brackets.
    var open: [String] = []
    while position < source.count {
      if open.isEmpty {
        if isBlock, isAt("%}") || isAt("-%}") || isAt("+%}") {
          add(.blockEnd)
          return close("%}")
        }
        if !isBlock, isAt("}}") || isAt("-}}") {
          add(.variableEnd)
          let strips = peek() == "-"
          skip(strips ? 3 : 2)
          if strips { skipSpace() }
          return
        }
      }
      let next = source[position]
      if next.isPythonSpace {
        skipSpace()
      } else if next.isDigit {
        try number()
      } else if next.isNameStart {
        try name()
      } else if next == "'" || next == "\"" {
        try string(next)
      } else if let op = Self.operators.first(where: { isAt($0) }) {
        switch op {
        case "(": open.append(")")
        case "[": open.append("]")
        case "{": open.append("}")
        case ")", "]", "}":
          guard let expected = open.popLast() else { throw syntax("unexpected '\(op)'") }
          guard expected == op else { throw syntax("unexpected '\(op)', expected '\(expected)'") }
        default: break
        }
        add(.op(op))
        skip(op.utf8.count)
      } else if next.value >= 0x80 {
        throw unsupported("the character '\(next)' outside a string")
      } else {
        throw syntax("unexpected character '\(next)'")
      }
    }
  }

  private mutating func name() throws(TemplateError) {
    var text = ""
    while let scalar = peek(), scalar.isNameStart || scalar.isDigit {
      text.unicodeScalars.append(scalar)
      skip(1)
    }
    if let scalar = peek(), scalar.value >= 0x80 { throw unsupported("a non-ASCII name") }
    add(.name(text))
  }

  // MARK: Numbers

  /// Number of code points of digits with single underscores between them.
  private func digits(at offset: Int, _ isDigit: (Unicode.Scalar) -> Bool = \.isDigit) -> Int {
    var at = offset
    while true {
      if let scalar = peek(at), isDigit(scalar) {
        at += 1
      } else if at > offset, peek(at) == "_", let scalar = peek(at + 1), isDigit(scalar) {
        at += 2
      } else {
        return at - offset
      }
    }
  }

  private mutating func number() throws(TemplateError) {
    let length = floatLength() ?? integerLength()
    let text = String(PythonText(source[position..<position + length]).description.filter { $0 != "_" })
    if text.hasPrefix("0x") || text.hasPrefix("0X") || text.hasPrefix("0o") || text.hasPrefix("0O")
      || text.hasPrefix("0b") || text.hasPrefix("0B")
    {
      let radix = text.dropFirst().first.map { "xX".contains($0) ? 16 : "oO".contains($0) ? 8 : 2 } ?? 10
      guard let n = Int(text.dropFirst(2), radix: radix) else { throw unsupported("the number \(text)") }
      add(.integer(n))
    } else if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      guard let n = Int(text) else { throw unsupported("the number \(text), which has more than 64 bits") }
      add(.integer(n))
    } else {
      guard let x = Double(text), x.isFinite else { throw unsupported("the number \(text), which is not finite") }
      add(.float(x))
    }
    skip(length)
    if let scalar = peek(), scalar.value >= 0x80 { throw unsupported("a non-ASCII number") }
  }

  private func floatLength() -> Int? {
    if position > 0, source[position - 1] == "." { return nil }
    var at = digits(at: 0)
    var isFloat = false
    if peek(at) == "." {
      let fraction = digits(at: at + 1)
      if fraction > 0 {
        at += 1 + fraction
        isFloat = true
      }
    }
    if peek(at) == "e" || peek(at) == "E" {
      let sign = peek(at + 1) == "+" || peek(at + 1) == "-" ? 1 : 0
      let exponent = digits(at: at + 1 + sign)
      if exponent > 0 {
        at += 1 + sign + exponent
        isFloat = true
      }
    }
    return isFloat ? at : nil
  }

  private func integerLength() -> Int {
    guard peek() == "0" else { return digits(at: 0) }
    let isDigit: ((Unicode.Scalar) -> Bool)? =
      switch peek(1) {
      case "b", "B": { $0 == "0" || $0 == "1" }
      case "o", "O": { ("0"..."7").contains($0) }
      case "x", "X": { $0.isDigit || ("a"..."f").contains($0) || ("A"..."F").contains($0) }
      default: nil
      }
    if let isDigit {
      // An underscore may follow the letter.
      let gap = peek(2) == "_" ? 1 : 0
      let length = digits(at: 2 + gap, isDigit)
      if length > 0 { return 2 + gap + length }
    }
    return digits(at: 0) { $0 == "0" }
  }

  // MARK: Strings

  private mutating func string(_ quote: Unicode.Scalar) throws(TemplateError) {
    var text: [Unicode.Scalar] = []
    var at = 1
    while let scalar = peek(at), scalar != quote {
      guard scalar == "\\" else {
        text.append(scalar)
        at += 1
        continue
      }
      guard let escaped = peek(at + 1) else { break }
      at += 2
      switch escaped {
      case "\n": break
      case "\\", "'", "\"": text.append(escaped)
      case "a": text.append("\u{7}")
      case "b": text.append("\u{8}")
      case "f": text.append("\u{c}")
      case "n": text.append("\n")
      case "r": text.append("\r")
      case "t": text.append("\t")
      case "v": text.append("\u{b}")
      case "x": try hex(2, &at, &text)
      case "u": try hex(4, &at, &text)
      case "U": try hex(8, &at, &text)
      case "N": throw unsupported("a named character, '\\N'")
      case "0"..."7":
        var code = escaped.value - 0x30
        for _ in 0..<2 {
          guard let next = peek(at), ("0"..."7").contains(next) else { break }
          code = code * 8 + next.value - 0x30
          at += 1
        }
        text.append(Unicode.Scalar(code)!)
      default:
        text.append("\\")
        if escaped.value < 0x80 {
          text.append(escaped)
        } else {
          // Jinja2 first writes non-ASCII characters as escapes, whose backslash is escaped by this one.
          let digits = String(escaped.value, radix: 16)
          let (letter, width) = escaped.value < 0x100 ? ("x", 2) : escaped.value < 0x10000 ? ("u", 4) : ("U", 8)
          text += Array((letter + String(repeating: "0", count: width - digits.utf8.count) + digits).unicodeScalars)
        }
      }
    }
    guard peek(at) == quote else { throw syntax("unexpected character '\(quote)'") }
    add(.string(PythonText(text)))
    skip(at + 1)
  }

  private func hex(_ width: Int, _ at: inout Int, _ text: inout [Unicode.Scalar]) throws(TemplateError) {
    var code: UInt32 = 0
    for _ in 0..<width {
      guard let digit = peek(at).flatMap({ Character($0).hexDigitValue }), peek(at)!.value < 0x80 else {
        throw syntax("an incomplete escape in a string")
      }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    guard code < 0x110000 else { throw syntax("an escape in a string beyond Unicode") }
    guard let scalar = Unicode.Scalar(code) else { throw unsupported("half of a surrogate pair in a string") }
    text.append(scalar)
  }
}

extension Unicode.Scalar {
  var isDigit: Bool { ("0"..."9").contains(self) }
  fileprivate var isNameStart: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) || self == "_" }
}
