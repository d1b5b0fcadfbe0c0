import Base
import Checkpoints

/// How the change of a tensor follows from an adapter's factors (spec, section 5.2).
///
/// The tensor is read as a stack of matrices, shape (slices, rows, columns). The change of one element is
/// scale · Σₖ u[slice, row, k] · v[slice, k, column].
package struct LowRank: Hashable, Sendable {
  /// A factor inside a tensor of the adapter: element (slice, i, k) is at offset + slice·slices + i·line + k·rank, where
  /// i is the row for u and the column for v.
  package struct View: Hashable, Sendable {
    /// Index in the header's list of the adapter's tensors.
    package var tensor: Int
    /// In elements, like the strides.
    package let offset: Int
    package let slice: Int
    package let line: Int
    package let rank: Int

    package init(tensor: Int, offset: Int = 0, slice: Int = 0, line: Int, rank: Int) {
      self.tensor = tensor
      self.offset = offset
      self.slice = slice
      self.line = line
      self.rank = rank
    }
  }

  package let rank: Int
  package let scale: Double
  /// Whether the change is rounded to the tensor's dtype before it is added to the base.
  package var roundsChange: Bool
  package var u: View
  package var v: View

  package init(rank: Int, scale: Double, roundsChange: Bool, u: View, v: View) {
    self.rank = rank
    self.scale = scale
    self.roundsChange = roundsChange
    self.u = u
    self.v = v
  }

  package static let maximumRank = 1024
  /// Dtypes of factors, and of the tensors that they change.
  package static let dtypes: Set<DType> = [.f32, .f16, .bf16]

  /// A tensor as a stack of matrices.
  package struct Matrices: Hashable, Sendable {
    package let slices: Int
    package let rows: Int
    package let columns: Int

    /// Nil for a tensor without elements or with fewer than two dimensions.
    package init?(_ info: TensorInfo) {
      guard info.shape.count >= 2, info.byteCount > 0 else { return nil }
      columns = info.shape[info.shape.count - 1]
      rows = info.shape[info.shape.count - 2]
      slices = info.elementCount / (rows * columns)
    }
  }

  /// The reason why this does not apply to a tensor; nil where it does.
  /// - Parameter adapter: the adapter's tensors.
  package func problem(of tensor: TensorInfo, adapter: [TensorInfo]) -> String? {
    guard (1...Self.maximumRank).contains(rank) else { return "a rank of \(rank)" }
    guard scale.isFinite else { return "a scale that is not finite" }
    guard Self.dtypes.contains(tensor.dtype), let matrices = Matrices(tensor) else {
      return "factors for a tensor that is not a matrix of floats"
    }
    for (view, lines) in [(u, matrices.rows), (v, matrices.columns)] {
      guard adapter.indices.contains(view.tensor) else { return "a factor that the adapter does not have" }
      let factor = adapter[view.tensor]
      guard Self.dtypes.contains(factor.dtype) else { return "a factor of the dtype \(factor.dtype)" }
      // Every line and rank has its own element, so that a factor cannot be smaller than the work that it causes.
      let steps = [[view.offset], [matrices.slices - 1, view.slice], [lines - 1, view.line], [rank - 1, view.rank]]
      let distances = steps.compactMap { $0.productWithinLimits() }
      guard let needed = [lines, rank].productWithinLimits(), needed <= factor.elementCount,
        distances.count == steps.count, let last = distances.sumWithinLimits(), last < factor.elementCount
      else { return "a factor beyond its tensor \"\(factor.name.printable)\"" }
    }
    return nil
  }
}
