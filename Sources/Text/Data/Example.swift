import Images

/// What a model is shown, and what of it it is to learn.
public struct Example: Equatable, Sendable {
  public let sequence: TokenSequence
  /// One an id: the id itself where it is to be learned, `Example.ignored` where not. (Which token each position
  /// predicts is the next one: the shift is made where the loss is.)
  public let labels: [Int32]

  public static let ignored: Int32 = -100

  public init(ids: [Int32], labels: [Int32], images: [ImageSource] = []) {
    precondition(ids.count == labels.count, "one label an id")
    sequence = TokenSequence(ids, images: images)
    self.labels = labels
  }

  public var ids: [Int32] { sequence.ids }

  /// How many tokens the loss counts: the labels but the first, which nothing predicts.
  public var answerTokens: Int { labels.dropFirst().count { $0 != Self.ignored } }
}
