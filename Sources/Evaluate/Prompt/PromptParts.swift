import Text

extension [Message.Part] {
  /// Number of leading parts that are images or line feeds after images.
  var leadingImages: Int {
    guard case .image = first else { return 0 }
    return firstIndex { if case .text(let text) = $0 { text != "\n" } else { false } } ?? count
  }

  /// Joins adjacent texts.
  var joinedTexts: [Message.Part] { reduce(into: []) { $0.append(joining: $1) } }

  /// As the parts of a message: joined, without the line feed after an image, which the chat template writes.
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
