extension JSON {
  /// Canonical JSON (`spec/vpatch-format.md`, section 1): no white space, keys in ascending order of their bytes.
  package func canonical() -> [UInt8] {
    var out: [UInt8] = []
    write(to: &out, sortingKeys: true, indent: nil)
    return out
  }

  /// Indented by two spaces, keys in the given order: for a command's output.
  package func pretty() -> String {
    var out: [UInt8] = []
    write(to: &out, sortingKeys: false, indent: 0)
    return String(decoding: out, as: UTF8.self)
  }

  /// One line, keys in the given order.
  package func compact() -> String {
    var out: [UInt8] = []
    write(to: &out, sortingKeys: false, indent: nil)
    return String(decoding: out, as: UTF8.self)
  }

  private func write(to out: inout [UInt8], sortingKeys: Bool, indent: Int?) {
    switch self {
    case .null: out += Array("null".utf8)
    case .bool(let b): out += Array((b ? "true" : "false").utf8)
    case .integer(let n): out += Array(String(n).utf8)
    case .number(let text): out += Array(text.utf8)
    case .string(let s): Self.write(s, to: &out)
    case .array(let elements):
      // Short lists of scalars (shapes, ranges) are easier to read on one line.
      let inner = elements.allSatisfy(\.isScalar) ? nil : indent.map { $0 + 2 }
      out.append(UInt8(ascii: "["))
      for (i, element) in elements.enumerated() {
        if i > 0 { out += indent != nil && inner == nil ? Array(", ".utf8) : [UInt8(ascii: ",")] }
        Self.breakLine(inner, &out)
        element.write(to: &out, sortingKeys: sortingKeys, indent: inner)
      }
      if !elements.isEmpty, inner != nil { Self.breakLine(indent, &out) }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      let ordered = sortingKeys ? members.sorted { $0.key.precedes($1.key) } : members
      let inner = indent.map { $0 + 2 }
      out.append(UInt8(ascii: "{"))
      for (i, member) in ordered.enumerated() {
        if i > 0 { out.append(UInt8(ascii: ",")) }
        Self.breakLine(inner, &out)
        Self.write(member.key, to: &out)
        out += Array((indent == nil ? ":" : ": ").utf8)
        member.value.write(to: &out, sortingKeys: sortingKeys, indent: inner)
      }
      if !members.isEmpty { Self.breakLine(indent, &out) }
      out.append(UInt8(ascii: "}"))
    }
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private static func breakLine(_ indent: Int?, _ out: inout [UInt8]) {
    guard let indent else { return }
    out.append(0x0A)
    out.append(contentsOf: repeatElement(0x20, count: indent))
  }

  package static func write(_ text: String, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for c in text.utf8 { escape(c, to: &out) }
    out.append(UInt8(ascii: "\""))
  }

  /// Appends a UTF-8 byte of a JSON string, escaped in the shortest way.
  package static func escape(_ byte: UInt8, to out: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
    case 0x08: out += Array("\\b".utf8)
    case 0x09: out += Array("\\t".utf8)
    case 0x0A: out += Array("\\n".utf8)
    case 0x0C: out += Array("\\f".utf8)
    case 0x0D: out += Array("\\r".utf8)
    case 0..<0x20: escape(unit: UInt16(byte), to: &out)
    default: out.append(byte)
    }
  }

  /// Appends a UTF-16 code unit by its number: \u00e9.
  package static func escape(unit: UInt16, to out: inout [UInt8]) {
    let digits = String(unit, radix: 16)
    out += Array(("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
  }
}
