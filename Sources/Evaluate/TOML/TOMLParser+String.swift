import Base

extension TOMLParser {
  /// A string of any of the four kinds: basic or literal, single-line or multi-line.
  mutating func string() throws -> String {
    let isLiteral = peek == UInt8(ascii: "'")
    let quote: StaticString = isLiteral ? "'" : "\""
    let three: StaticString = isLiteral ? "'''" : "\"\"\""
    guard take(three) else {
      position += 1
      return try body(isLiteral, isMultiline: false) { $0.take(quote) }
    }
    // A line break directly after the opening quotes is not part of the string.
    _ = takeLineBreak()
    var text = try body(isLiteral, isMultiline: true) { $0.take(three) }
    // Up to two quotes before the closing three belong to the string.
    for _ in 0..<2 where take(quote) { text += isLiteral ? "'" : "\"" }
    return text
  }

  private mutating func body(
    _ isLiteral: Bool, isMultiline: Bool, _ takeEnd: (inout TOMLParser) -> Bool
  ) throws -> String {
    var text: [UInt8] = []
    while !takeEnd(&self) {
      guard let c = peek else { throw error("unterminated string") }
      if isMultiline, takeLineBreak() {
        text.append(UInt8(ascii: "\n"))
      } else if c == UInt8(ascii: "\\"), !isLiteral {
        position += 1
        try escape(isMultiline, into: &text)
      } else {
        guard c >= 0x20 && c != 0x7F || c == 0x09 else {
          throw error(
            c == 0x0A || c == 0x0D ? "unterminated string" : "control character in a string")
        }
        text.append(c)
        position += 1
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The character after a backslash.
  private mutating func escape(_ isMultiline: Bool, into text: inout [UInt8]) throws {
    guard let c = peek else { throw error("unterminated string") }
    let simple: [UInt8: UInt8] = [
      UInt8(ascii: "b"): 0x08, UInt8(ascii: "t"): 0x09, UInt8(ascii: "n"): 0x0A, UInt8(ascii: "f"): 0x0C,
      UInt8(ascii: "r"): 0x0D, UInt8(ascii: "\""): c, UInt8(ascii: "\\"): c,
    ]
    if let byte = simple[c] {
      position += 1
      text.append(byte)
    } else if c == UInt8(ascii: "u") || c == UInt8(ascii: "U") {
      let digits = bytes[(position + 1)...].prefix(c == UInt8(ascii: "u") ? 4 : 8)
      guard digits.count == (c == UInt8(ascii: "u") ? 4 : 8),
        digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
        let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16), let scalar = Unicode.Scalar(value)
      else { throw error("\\\(printable(c)) needs the hexadecimal digits of a character") }
      position += 1 + digits.count
      text += Array(String(scalar).utf8)
    } else if isMultiline, let end = blankLineEnd {
      // A backslash at the end of a line: the string continues with the next character that is not white space.
      position = end
      while let c = peek {
        if c == 0x20 || c == 0x09 { position += 1 } else if !takeLineBreak() { break }
      }
    } else {
      throw error("\"\\\(printable(c))\" is not an escape sequence; write a backslash as \"\\\\\"")
    }
  }

  /// The end of the line, if only white space is left on it.
  private var blankLineEnd: Int? {
    var end = position
    while end < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
    guard end < bytes.count else { return nil }
    return bytes[end] == 0x0A || (bytes[end] == 0x0D && end + 1 < bytes.count && bytes[end + 1] == 0x0A) ? end : nil
  }
}

/// Numbers in TOML.
enum TOMLNumber {
  /// Nil for anything but a number, or for an integer outside 64 bits.
  static func parse(_ word: String) -> JSON? {
    let plain = word.replacing("_", with: "")
    if word.wholeMatch(of: #/[+-]?(0|[1-9](_?[0-9])*)/#) != nil { return Int(plain).map { JSON($0) } }
    if let based = word.wholeMatch(of: #/0(x[0-9A-Fa-f](_?[0-9A-Fa-f])*|o[0-7](_?[0-7])*|b[01](_?[01])*)/#) {
      let radix = ["x": 16, "o": 8, "b": 2][based.output.1.prefix(1)]!
      return Int(plain.dropFirst(2), radix: radix).map { JSON($0) }
    }
    let digits = #/[+-]?(0|[1-9](_?[0-9])*)(\.[0-9](_?[0-9])*)?([eE][+-]?[0-9](_?[0-9])*)?/#
    if word.wholeMatch(of: digits) != nil { return Double(plain).map { .number("\($0)") } }
    if word.wholeMatch(of: #/[+-]?(inf|nan)/#) != nil { return .number(word) }
    return nil
  }
}
