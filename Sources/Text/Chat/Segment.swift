/// Part of a text that a model is shown, and whether it is what the model is to answer.
public struct Segment: Equatable, Sendable {
  public let text: String
  /// An answer, with the token that ends it.
  public let isAnswer: Bool

  public init(_ text: String, isAnswer: Bool) {
    self.text = text
    self.isAnswer = isAnswer
  }
}

extension [Segment] {
  /// The whole text.
  public var text: String { map(\.text).joined() }

  /// Appends to the last segment where that is of the same kind.
  mutating func append(_ text: String, isAnswer: Bool = false) {
    guard !text.isEmpty else { return }
    if let last, last.isAnswer == isAnswer {
      self[count - 1] = Segment(last.text + text, isAnswer: isAnswer)
    } else {
      append(Segment(text, isAnswer: isAnswer))
    }
  }
}
