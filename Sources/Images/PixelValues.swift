/// An image as the input of a vision tower, normalized.
package struct PixelValues: Sendable {
  package let plan: ImagePlan
  /// [tiles, 3, height, width]; for `patches` [rows · columns, 3 · temporal · patch · patch], in the order of Qwen's
  /// processor: merged groups of patches together.
  package let shape: [Int]
  package let values: [Float]

  package init(plan: ImagePlan, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "the number of values does not match the shape")
    self.plan = plan
    self.shape = shape
    self.values = values
  }
}
