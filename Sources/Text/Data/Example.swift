import Images

/// What a model is shown, and what of it it is to learn.
package struct Example: Equatable, Sendable {
  package let sequence: TokenSequence
  /// One an id: the id itself where it is to be learned, `Example.ignored` where not. (Which token each position
  /// predicts is the next one: the shift is made where the loss is.)
  package let labels: [Int32]

  package static let ignored: Int32 = -100

  package init(ids: [Int32], labels: [Int32], images: [ImageSource] = []) {
    precondition(ids.count == labels.count, "one label an id")
    sequence = TokenSequence(ids, images: images)
    self.labels = labels
  }

  package var ids: [Int32] { sequence.ids }

  /// How many tokens the loss counts: the labels but the first, which nothing predicts.
  package var answerTokens: Int { labels.dropFirst().count { $0 != Self.ignored } }
}
