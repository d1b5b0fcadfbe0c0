// A strict parser for RFC 8259. It refuses what lenient parsers accept and attackers use: duplicate keys, unpaired
// surrogates, invalid UTF-8, text behind the value, unlimited nesting.

extension JSON {
  /// - Parameters:
  ///   - maximumValues: maximum number of values, for decompressed text: a value takes more memory than a byte.
  ///   - allowsNonFinite: accept NaN, Infinity and -Infinity as numbers. They are not JSON, but Python writes them.
  /// - Throws: `JSONError` with what is wrong and at which byte.
  package static func parse(
    _ bytes: some ContiguousBytesLike, maximumDepth: Int = 32, maximumValues: Int = .max, allowsNonFinite: Bool = false
  ) throws -> JSON {
    try bytes.withContiguousBytes { raw in
      var parser = Parser(bytes: raw, maximumDepth: maximumDepth, valuesLeft: maximumValues)
      parser.allowsNonFinite = allowsNonFinite
      return try parser.document { try $0.value(depth: 0) }
    }
  }

  /// Calls `body` with each member of an object, in its order, and keeps none: a header may list a million tensors, and
  /// a parsed value takes several times the memory of its text.
  /// - Throws: `JSONError` as `parse` does, or where the text is not an object; rethrows what `body` throws.
  package static func forEachMember(
    of bytes: some ContiguousBytesLike, maximumDepth: Int = 32, maximumValues: Int = .max,
    _ body: (Member) throws -> Void
  ) throws {
    try bytes.withContiguousBytes { raw in
      var parser = Parser(bytes: raw, maximumDepth: maximumDepth, valuesLeft: maximumValues)
      try parser.document { parser in
        parser.skipSpace()
        guard parser.peek == UInt8(ascii: "{") else { throw parser.error("an object expected") }
        try parser.takeValue()
        try parser.members(depth: 0, body)
      }
    }
  }
}

private struct Parser {
  let bytes: UnsafeRawBufferPointer
  let maximumDepth: Int
  var valuesLeft: Int
  var allowsNonFinite = false
  var position = 0

  mutating func document<Result>(_ content: (inout Parser) throws -> Result) throws -> Result {
    let result = try content(&self)
    skipSpace()
    guard position == bytes.count else { throw error("more text after the JSON value") }
    return result
  }

  func error(_ reason: String) -> JSONError { JSONError("\(reason) at byte \(position)") }

  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let c = peek, c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09 { position += 1 }
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard peek == UInt8(ascii: character) else { throw error("'\(character)' expected") }
    position += 1
  }

  mutating func word(_ text: StaticString, _ value: JSON) throws -> JSON {
    for i in 0..<text.utf8CodeUnitCount {
      guard peek == text.utf8Start[i] else { throw error("a value expected") }
      position += 1
    }
    return value
  }

  mutating func takeValue() throws {
    guard valuesLeft > 0 else { throw error("more values than a file of this size may have") }
    valuesLeft -= 1
  }

  mutating func value(depth: Int) throws -> JSON {
    skipSpace()
    try takeValue()
    if peek == UInt8(ascii: "{") || peek == UInt8(ascii: "["), depth >= maximumDepth {
      throw error("nested more than \(maximumDepth) deep")
    }
    switch peek {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "N") where allowsNonFinite: return try word("NaN", .number("NaN"))
    case UInt8(ascii: "I") where allowsNonFinite: return try word("Infinity", .number("Infinity"))
    case UInt8(ascii: "-")
    where allowsNonFinite && position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "I"):
      return try word("-Infinity", .number("-Infinity"))
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"): return try number()
    case nil: throw error("the text ends where a value is expected")
    default: throw error("a value expected")
    }
  }

  mutating func object(depth: Int) throws -> JSON {
    var members: [JSON.Member] = []
    try self.members(depth: depth) { members.append($0) }
    return .object(members)
  }

  mutating func members(depth: Int, _ body: (JSON.Member) throws -> Void) throws {
    position += 1
    // A set only where a linear search of the keys would be slow.
    var keys: [String] = []
    var seen: Set<String> = []
    skipSpace()
    if peek == UInt8(ascii: "}") {
      position += 1
      return
    }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw error("a key expected") }
      let key = try string()
      let duplicate =
        seen.isEmpty ? keys.contains { $0.isSame(as: key) } : !seen.insert(key.bytesKey).inserted
      guard !duplicate else { throw error("the key \"\(key.printable)\" occurs twice") }
      if seen.isEmpty { keys.append(key) }
      if keys.count == 8, seen.isEmpty { seen = Set(keys.map(\.bytesKey)) }
      skipSpace()
      try expect(":")
      try body(JSON.Member(key, try value(depth: depth + 1)))
      skipSpace()
      if peek == UInt8(ascii: "}") {
        position += 1
        return
      }
      try expect(",")
    }
  }

  mutating func array(depth: Int) throws -> JSON {
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if peek == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if peek == UInt8(ascii: "]") {
        position += 1
        return .array(elements)
      }
      try expect(",")
    }
  }

  mutating func number() throws -> JSON {
    let start = position
    func isDigit(_ c: UInt8?) -> Bool { c.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ?? false }
    if peek == UInt8(ascii: "-") { position += 1 }
    guard isDigit(peek) else { throw error("a digit expected") }
    if peek == UInt8(ascii: "0") {
      position += 1
      if isDigit(peek) { throw error("a number with a leading zero") }
    } else {
      while isDigit(peek) { position += 1 }
    }
    var isWhole = bytes[start] != UInt8(ascii: "-")
    if peek == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      guard isDigit(peek) else { throw error("a digit expected") }
      while isDigit(peek) { position += 1 }
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      isWhole = false
      position += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
      guard isDigit(peek) else { throw error("a digit expected") }
      while isDigit(peek) { position += 1 }
    }
    let digits = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    if isWhole, digits.count <= 20 {
      var n: UInt64 = 0
      var overflows = false
      for c in digits {
        let (tens, first) = n.multipliedReportingOverflow(by: 10)
        let (sum, second) = tens.addingReportingOverflow(UInt64(c - UInt8(ascii: "0")))
        overflows = overflows || first || second
        n = sum
      }
      if !overflows { return .integer(n) }
    }
    return .number(String(decoding: digits, as: UTF8.self))
  }

  mutating func string() throws -> String {
    position += 1
    let start = position
    while let c = peek, c != UInt8(ascii: "\""), c != UInt8(ascii: "\\"), c >= 0x20 { position += 1 }
    if peek == UInt8(ascii: "\"") {
      defer { position += 1 }
      return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
    }
    var out = [UInt8](bytes[start..<position])
    while true {
      guard let c = peek else { throw error("the text ends inside a string") }
      position += 1
      switch c {
      case UInt8(ascii: "\""):
        return try out.withUnsafeBytes { try text($0) }
      case UInt8(ascii: "\\"):
        try escape(into: &out)
      case 0..<0x20:
        position -= 1
        throw error("a bare control character in a string")
      default:
        out.append(c)
      }
    }
  }

  func text(_ utf8: UnsafeRawBufferPointer) throws -> String {
    guard let text = String(validating: utf8, as: UTF8.self) else { throw error("a string that is not UTF-8 before") }
    return text
  }

  mutating func escape(into out: inout [UInt8]) throws {
    guard let c = peek else { throw error("the text ends inside a string") }
    position += 1
    switch c {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(c)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0C)
    case UInt8(ascii: "n"): out.append(0x0A)
    case UInt8(ascii: "r"): out.append(0x0D)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try hex4()
      if (0xD800..<0xDC00).contains(unit) {
        guard peek == UInt8(ascii: "\\") else { throw error("an unpaired surrogate") }
        position += 1
        try expect("u")
        let low = try hex4()
        guard (0xDC00..<0xE000).contains(low) else { throw error("an unpaired surrogate") }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw error("an unpaired surrogate") }
      out.append(contentsOf: UTF8.encode(scalar)!)
    default: throw error("an unknown escape in a string")
    }
  }

  mutating func hex4() throws -> UInt32 {
    var n: UInt32 = 0
    for _ in 0..<4 {
      guard let c = peek, let digit = Character(Unicode.Scalar(c)).hexDigitValue else {
        throw error("four hexadecimal digits expected")
      }
      position += 1
      n = n << 4 | UInt32(digit)
    }
    return n
  }
}
