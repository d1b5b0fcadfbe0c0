/// An image as a vision tower takes it, normalized.
package struct PixelValues: Sendable {
  package let plan: ImagePlan
  /// [tiles, 3, height, width]; for `patches` [rows · columns, 3 · temporal · patch · patch], in the order in which
  /// Qwen's processor has them: merged groups of patches together.
  package let shape: [Int]
  package let values: [Float]

  package init(plan: ImagePlan, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "values are not of the shape")
    self.plan = plan
    self.shape = shape
    self.values = values
  }
}
