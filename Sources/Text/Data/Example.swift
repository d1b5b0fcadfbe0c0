import Images

/// A training example: token ids and labels.
package struct Example: Equatable, Sendable {
  package let sequence: TokenSequence
  /// One per id: the id itself if it counts in the loss, otherwise `Example.ignored`. (Not shifted: the label is of the
  /// token at its own position; the loss computation shifts.)
  package let labels: [Int32]

  package static let ignored: Int32 = -100

  package init(ids: [Int32], labels: [Int32], images: [ImageSource] = []) {
    precondition(ids.count == labels.count, "one label per id")
    sequence = TokenSequence(ids, images: images)
    self.labels = labels
  }

  package var ids: [Int32] { sequence.ids }

  /// Number of tokens that count in the loss: all labels but the first, which no token predicts.
  package var answerTokens: Int { labels.dropFirst().count { $0 != Self.ignored } }
}
