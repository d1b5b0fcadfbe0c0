extension String {
  /// JSON with all control characters escaped, including those that JSON allows unescaped (C1, bidirectional marks).
  var escapingControls: String {
    unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.value >= 0x7F, String(scalar).printable.unicodeScalars.count > 1 {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}
