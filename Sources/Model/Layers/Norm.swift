import CCompute

/// A norm over the rows of a matrix: LayerNorm with a bias, RMSNorm without.
struct Norm: Sendable {
  let weight: Parameter
  var bias: Parameter?
  let epsilon: Float

  var parameters: [Parameter] { [weight, bias].compactMap(\.self) }
  var isTuned: Bool { parameters.contains { $0.tuning != nil } }
}

extension Compute {
  /// y = norm(x), [rows, n].
  func apply(_ norm: Norm, to x: UnsafePointer<Float>, rows: Int, into y: FloatPointer) {
    let (x, y, w, b) = (Shared(x), Shared(y), Shared(norm.weight.values), Shared(norm.bias?.values))
    let (n, epsilon) = (norm.weight.count, norm.epsilon)
    split(rows, least: 8) { range in
      let first = range.lowerBound * n
      if let bias = b.pointer {
        vp_layer_norm(x.pointer + first, w.pointer, bias, y.pointer + first, range.count, n, epsilon)
      } else {
        vp_rms_norm(x.pointer + first, w.pointer, y.pointer + first, range.count, n, epsilon)
      }
    }
  }

  /// Adds the gradient of the norm's input to dx, and accumulates the gradients of tuned weights.
  func applyBack(_ norm: Norm, to dy: FloatPointer, x: UnsafePointer<Float>, rows: Int, into dx: FloatPointer) {
    let (dy, x, dx, w, n) = (Shared(dy), Shared(x), Shared(dx), Shared(norm.weight.values), norm.weight.count)
    let (isLayerNorm, epsilon) = (norm.bias != nil, norm.epsilon)
    let dw = Shared(norm.weight.tuning?.gradient.start)
    let db = Shared(norm.bias?.tuning?.gradient.start)
    // A tuned norm runs on one thread: all rows add to the same sums.
    split(rows, least: norm.isTuned ? rows : 8) { range in
      let first = range.lowerBound * n
      if isLayerNorm {
        vp_layer_norm_backward(
          dy.pointer + first, x.pointer + first, w.pointer, dx.pointer + first, dw.pointer, db.pointer, range.count, n,
          epsilon)
      } else {
        vp_rms_norm_backward(
          dy.pointer + first, x.pointer + first, w.pointer, dx.pointer + first, dw.pointer, range.count, n, epsilon)
      }
    }
  }

  /// Backward through a norm and the product after it; accumulates the gradients of tuned weights in both.
  /// - Parameters:
  ///   - input: of the norm.
  ///   - dy: gradient of the product's output.
  ///   - dx: gradient of the norm's input, which is added to; nil if not needed.
  func applyBack(
    _ linear: Linear, behind norm: Norm, to dy: FloatPointer, input: FloatPointer, rows: Int, into dx: FloatPointer?
  ) {
    let normed = scratch(.normed, rows * linear.inputs)
    if linear.isTuned {
      apply(norm, to: input, rows: rows, into: normed)
      addGradients(of: linear, x: normed, dy: dy, rows: rows)
    }
    guard let dx else { return }
    applyBack(linear, to: dy, rows: rows, into: normed)
    applyBack(norm, to: normed, x: input, rows: rows, into: dx)
  }
}
