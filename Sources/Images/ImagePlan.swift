/// How a model preprocesses an image of a given size: number, size and layout of the pieces. Depends on width and
/// height only.
package struct ImagePlan: Equatable, Hashable, Sendable {
  package enum Shape: Equatable, Hashable, Sendable {
    /// One picture of this size (CLIP, SigLIP, DINOv2).
    case crop(width: Int, height: Int)
    /// An overview of the whole image, followed by `rows` × `columns` tiles, row by row (LLaVA-NeXT, LLaVA-OneVision).
    /// All are `side` × `side` pixels.
    case tiles(rows: Int, columns: Int, side: Int)
    /// `rows` × `columns` patches of an image that was resized to fit them (Qwen2-VL).
    case patches(rows: Int, columns: Int)
  }

  /// The image's own width, upright.
  package let width: Int
  package let height: Int
  package let shape: Shape

  package init(width: Int, height: Int, shape: Shape) {
    self.width = width
    self.height = height
    self.shape = shape
  }
}
