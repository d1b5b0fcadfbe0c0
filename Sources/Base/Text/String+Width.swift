extension String {
  /// How many columns of a terminal the text takes: East Asian letters and emoji two, marks that combine none.
  package var columnWidth: Int {
    // Nearly all there is, and much faster than looking for characters.
    if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
    return reduce(0) { width, character in
      let scalar = character.unicodeScalars.first!
      return width + (scalar.isWide ? 2 : scalar.properties.generalCategory == .nonspacingMark ? 0 : 1)
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isWide: Bool {
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }
}

extension String {
  /// The text in at most `width` columns of a terminal: of a longer one the beginning and the end, with "…" between.
  package func shortened(to width: Int) -> String {
    guard columnWidth > width else { return self }
    guard width > 1 else { return width == 1 ? "…" : "" }
    let head = taking(columns: width / 2, of: self)
    let tail = String(taking(columns: width - 1 - head.columnWidth, of: String(reversed())).reversed())
    return head + "…" + tail
  }

  private func taking(columns: Int, of text: String) -> String {
    var (taken, width) = ("", 0)
    for character in text {
      width += String(character).columnWidth
      guard width <= columns else { break }
      taken.append(character)
    }
    return taken
  }
}
