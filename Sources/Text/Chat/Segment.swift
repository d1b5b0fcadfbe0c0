/// Part of a text that a model is shown, and whether it is what the model is to answer.
public struct Segment: Equatable, Sendable {
  public let text: String
  /// An answer, with the token that ends it.
  public let isAnswer: Bool
  /// The text is a mark, and an image goes there.
  public let isImage: Bool

  public init(_ text: String, isAnswer: Bool) {
    (self.text, self.isAnswer, isImage) = (text, isAnswer, false)
  }

  /// The place of an image.
  public init(mark: String) {
    (text, isAnswer, isImage) = (mark, false, true)
  }
}

extension [Segment] {
  /// The whole text.
  public var text: String { map(\.text).joined() }

  /// Appends to the last segment where that is of the same kind.
  mutating func append(_ text: String, isAnswer: Bool = false) {
    guard !text.isEmpty else { return }
    if let last, last.isAnswer == isAnswer, !last.isImage {
      self[count - 1] = Segment(last.text + text, isAnswer: isAnswer)
    } else {
      append(Segment(text, isAnswer: isAnswer))
    }
  }

  /// Appends segments of which none is an answer.
  mutating func append(shown segments: [Segment]) {
    for segment in segments {
      if segment.isImage { append(segment) } else { append(segment.text) }
    }
  }

  /// Without white space at the ends of the whole text.
  var trimmed: [Segment] {
    var rest = self
    while let first = rest.first, !first.isImage {
      let text = first.text.trimmedStart
      guard text.isEmpty else {
        rest[0] = Segment(text, isAnswer: first.isAnswer)
        break
      }
      rest.removeFirst()
    }
    while let last = rest.last, !last.isImage {
      let text = last.text.trimmedEnd
      guard text.isEmpty else {
        rest[rest.count - 1] = Segment(text, isAnswer: last.isAnswer)
        break
      }
      rest.removeLast()
    }
    return rest
  }
}

extension String {
  /// Without white space at its ends: what Python's `str.strip` takes off, as templates do.
  var trimmed: String { trimmedStart.trimmedEnd }

  fileprivate var trimmedStart: String { String(unicodeScalars.drop(while: \.isPythonSpace)) }

  fileprivate var trimmedEnd: String {
    let scalars = unicodeScalars
    var end = scalars.endIndex
    while end > scalars.startIndex, scalars[scalars.index(before: end)].isPythonSpace {
      end = scalars.index(before: end)
    }
    return String(scalars[..<end])
  }
}

extension Unicode.Scalar {
  /// Besides white space the four separators of ASCII.
  fileprivate var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
