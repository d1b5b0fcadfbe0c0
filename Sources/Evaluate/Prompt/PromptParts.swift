import Text

extension [Message.Part] {
  /// How many parts at the beginning are images, and the line feeds behind them.
  var leadingImages: Int {
    guard case .image = first else { return 0 }
    return firstIndex { if case .text(let text) = $0 { text != "\n" } else { false } } ?? count
  }

  /// Texts that follow each other as one.
  var joinedTexts: [Message.Part] { reduce(into: []) { $0.append(joining: $1) } }

  /// As the parts of a message: joined, and without the line feed behind an image, which is the chat template's to write.
  var asMessage: [Message.Part] {
    reduce(into: []) { parts, part in
      guard case .text(let text) = part, case .image = parts.last else { return parts.append(joining: part) }
      let rest = text.utf8.first == UInt8(ascii: "\n") ? String(text.unicodeScalars.dropFirst()) : text
      if !rest.isEmpty { parts.append(.text(rest)) }
    }
  }

  private mutating func append(joining part: Message.Part) {
    if case .text(let text) = part, case .text(let before) = last {
      self[count - 1] = .text(before + text)
    } else {
      append(part)
    }
  }
}
