import PatchFormat

/// What changed between two checkpoints, A and B, tensor by tensor and by component and layer.
///
/// Made by `compute`; shown by `table()`, `json()` and `html()`.
public struct CheckpointDiff: Sendable {
  /// One of the two checkpoints.
  public struct Side: Hashable, Sendable {
    public let path: String
    public let tensors: Int
    public let bytes: Int
  }

  /// A tensor that both sides have in the same shape.
  public struct Tensor: Hashable, Sendable {
    /// Its name in A.
    public let name: String
    public let component: Component
    public let shape: [Int]
    public let dtype: DType
    /// Its dtype in B. Where it is another, the values are compared as numbers.
    public let dtypeB: DType
    public let change: Change

    public var isRetyped: Bool { dtype != dtypeB }
    public var isChanged: Bool { change.changed > 0 || isRetyped }
  }

  /// A tensor that cannot be compared number by number.
  public struct Unmatched: Hashable, Sendable {
    public let component: Component
    /// As A has it; nil where only B has it.
    public let a: TensorInfo?
    public let b: TensorInfo?
    public var name: String { (a ?? b)!.name }
  }

  public let a: Side
  public let b: Side
  /// Tensors of the same shape on both sides, in ascending order of the names' bytes.
  public let tensors: [Tensor]
  /// Tensors that only B has, in ascending order; so with the next two.
  public let added: [Unmatched]
  /// Tensors that only A has.
  public let removed: [Unmatched]
  /// Tensors whose shape is another in B.
  public let reshaped: [Unmatched]

  /// What speaks against B being a fine-tune of A, in words: an adapter, the trained tensors alone, …
  public let remarks: [String]

  /// Tensors whose dtype is another in B; they are in `tensors` too.
  public var retyped: [Tensor] { tensors.filter(\.isRetyped) }
  public var changed: [Tensor] { tensors.filter(\.isChanged) }

  /// Whether both sides hold the same tensors, bit for bit.
  public var isIdentical: Bool {
    added.isEmpty && removed.isEmpty && reshaped.isEmpty && !tensors.contains(where: \.isChanged)
  }
}
