/// Part of a model's input text, and whether it is part of an answer.
package struct Segment: Equatable, Sendable {
  package let text: String
  /// An answer, with its end token.
  package let isAnswer: Bool
  /// Whether the text is a placeholder for an image.
  package let isImage: Bool

  package init(_ text: String, isAnswer: Bool) {
    (self.text, self.isAnswer, isImage) = (text, isAnswer, false)
  }

  /// A placeholder for an image.
  package init(mark: String) {
    (text, isAnswer, isImage) = (mark, false, true)
  }
}

extension [Segment] {
  /// The whole text.
  package var text: String { map(\.text).joined() }

  /// Appends to the last segment if it is of the same kind.
  mutating func append(_ text: String, isAnswer: Bool = false) {
    guard !text.isEmpty else { return }
    if let last, last.isAnswer == isAnswer, !last.isImage {
      self[count - 1] = Segment(last.text + text, isAnswer: isAnswer)
    } else {
      append(Segment(text, isAnswer: isAnswer))
    }
  }

  /// A rendered conversation: its answers, and the placeholders of its images.
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - answers: byte ranges of the text, in order, disjoint.
  ///   - mark: the placeholder of an image; nil for a model without images.
  init(_ bytes: [UInt8], answers: [Range<Int>], mark: String?) {
    self = []
    func append(_ range: Range<Int>, isAnswer: Bool, to segments: inout [Segment]) {
      var rest = bytes[range]
      while let mark, let place = rest.firstRange(of: [UInt8](mark.utf8)) {
        segments.append(String(decoding: rest[..<place.lowerBound], as: UTF8.self), isAnswer: isAnswer)
        segments.append(Segment(mark: mark))
        rest = rest[place.upperBound...]
      }
      segments.append(String(decoding: rest, as: UTF8.self), isAnswer: isAnswer)
    }
    var done = 0
    for answer in answers {
      append(done..<answer.lowerBound, isAnswer: false, to: &self)
      append(answer, isAnswer: true, to: &self)
      done = answer.upperBound
    }
    append(done..<bytes.count, isAnswer: false, to: &self)
  }
}

extension String {
  /// Without white space at its ends, by the rules of Python's `str.strip`, as in templates.
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
  /// White space, and the four ASCII separators.
  fileprivate var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
