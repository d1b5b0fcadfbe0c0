import Images

/// What a model reads: tokens, and the images that some of them stand for.
public struct TokenSequence: Equatable, Sendable {
  public var ids: [Int32]
  /// In the order in which they stand among the ids. An image's place is a run of the model's image token, as long as
  /// the model takes tokens for it.
  public var images: [ImageSource]

  public init(_ ids: [Int32], images: [ImageSource] = []) {
    self.ids = ids
    self.images = images
  }

  public var count: Int { ids.count }
  public var isEmpty: Bool { ids.isEmpty }
}
