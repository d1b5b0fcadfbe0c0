extension String {
  /// The text with control characters escaped, so that a hostile name cannot manipulate the terminal.
  package var printable: String {
    // Most texts are plain, and a table has many of them.
    if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
    guard unicodeScalars.contains(where: \.isControl) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.isControl {
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}

extension String {
  /// Like `printable` for a text of several lines: line feeds and tabs are kept.
  package var printableText: String {
    if utf8.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x0A || $0 == 0x09 }) { return self }
    guard unicodeScalars.contains(where: { $0.isControl && $0 != "\n" && $0 != "\t" }) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      text += scalar == "\n" || scalar == "\t" ? String(scalar) : String(scalar).printable
    }
  }
}

extension Unicode.Scalar {
  /// C0, DEL, C1 and the characters that change the writing direction.
  fileprivate var isControl: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
