import Images

/// A model's input: tokens, and the images that some of them stand for.
package struct TokenSequence: Equatable, Sendable {
  package var ids: [Int32]
  /// In the order of the ids. An image's place is a run of the image token, as long as the model's number of tokens for
  /// it.
  package var images: [ImageSource]

  package init(_ ids: [Int32], images: [ImageSource] = []) {
    self.ids = ids
    self.images = images
  }

  package var count: Int { ids.count }
  package var isEmpty: Bool { ids.isEmpty }
}
