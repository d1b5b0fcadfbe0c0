import Checkpoints
import Families

/// The differences between two checkpoints, A and B, by tensor and by component and layer.
///
/// Computed by `compute`; shown by `table()`, `json()` and `html()`.
package struct CheckpointDiff: Sendable {
  /// One of the two checkpoints.
  package struct Side: Hashable, Sendable {
    package let path: String
    package let tensors: Int
    package let bytes: Int
  }

  /// A tensor with the same shape on both sides.
  package struct Tensor: Hashable, Sendable {
    /// Its name in A.
    package let name: String
    package let component: Component
    package let shape: [Int]
    package let dtype: DType
    /// Its dtype in B. If the dtypes differ, the values are compared as numbers.
    package let dtypeB: DType
    package let change: Change

    package var isRetyped: Bool { dtype != dtypeB }
    package var isChanged: Bool { change.changed > 0 || isRetyped }
  }

  /// A tensor that cannot be compared element by element.
  package struct Unmatched: Hashable, Sendable {
    package let component: Component
    /// In A; nil where only B has it.
    package let a: TensorInfo?
    package let b: TensorInfo?
    package var name: String { (a ?? b)!.name }
  }

  package let a: Side
  package let b: Side
  /// Tensors of the same shape on both sides, in ascending order of the names' bytes.
  package let tensors: [Tensor]
  /// Tensors that only B has, in ascending order, like the following two.
  package let added: [Unmatched]
  /// Tensors that only A has.
  package let removed: [Unmatched]
  /// Tensors whose shape differs in B.
  package let reshaped: [Unmatched]

  /// Reasons why B is not a fine-tune of A: an adapter, only the trained tensors, …
  package let notes: [String]

  /// Tensors whose dtype differs in B. They are in `tensors` too.
  package var retyped: [Tensor] { tensors.filter(\.isRetyped) }
  package var changed: [Tensor] { tensors.filter(\.isChanged) }

  /// Whether both sides hold the same tensors, bit for bit.
  package var isIdentical: Bool {
    added.isEmpty && removed.isEmpty && reshaped.isEmpty && !tensors.contains(where: \.isChanged)
  }
}
