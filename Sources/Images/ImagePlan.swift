/// What a model's preprocessing makes of an image of some size: how many pieces of which size, and where they lie.
/// It follows from width and height alone.
package struct ImagePlan: Equatable, Hashable, Sendable {
  package enum Shape: Equatable, Hashable, Sendable {
    /// One picture of this size (CLIP, SigLIP, DINOv2).
    case crop(width: Int, height: Int)
    /// The whole image in small, and then `rows` × `columns` tiles of it, row by row (LLaVA-NeXT, LLaVA-OneVision). All
    /// are `side` × `side` pixels.
    case tiles(rows: Int, columns: Int, side: Int)
    /// `rows` × `columns` patches of an image that was resized to fit them (Qwen2-VL).
    case patches(rows: Int, columns: Int)
  }

  /// The image's own size, upright.
  package let width: Int
  package let height: Int
  package let shape: Shape

  package init(width: Int, height: Int, shape: Shape) {
    self.width = width
    self.height = height
    self.shape = shape
  }
}
