import CCompute

/// A norm over the rows of a matrix: LayerNorm with a bias, RMSNorm without.
struct Norm: Sendable {
  let weight: Parameter
  var bias: Parameter?
  let epsilon: Float
  /// Added to the weights.
  var offset: Float = 0

  var parameters: [Parameter] { [weight, bias].compactMap(\.self) }
  var isTuned: Bool { parameters.contains { $0.tuning != nil } }
}

extension Compute {
  /// y = norm(x), [rows, n].
  func apply(_ norm: Norm, to x: UnsafePointer<Float>, rows: Int, into y: FloatPointer) {
    let (x, y, w, b) = (Shared(x), Shared(y), Shared(weights(of: norm)), Shared(norm.bias?.values))
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

  /// The weights by which rows are multiplied.
  private func weights(of norm: Norm) -> FloatPointer {
    guard norm.offset != 0 else { return norm.weight.values }
    let (sums, values) = (scratch(.normWeights, norm.weight.count), norm.weight.values)
    for i in 0..<norm.weight.count { sums[i] = values[i] + norm.offset }
    return sums
  }

  /// y = norm(x) of a part of each row: `heads` vectors of the norm's length, side by side.
  /// - Parameters:
  ///   - x, y: the first row's first vector; rows are `strides` apart.
  func applyToHeads(
    _ norm: Norm, to x: FloatPointer, rows: Int, heads: Int, strides: (x: Int, y: Int), into y: FloatPointer
  ) {
    let (x, y, w) = (Shared(x), Shared(y), Shared(weights(of: norm)))
    let (n, epsilon) = (norm.weight.count, norm.epsilon)
    split(rows, least: 8) { range in
      for row in range {
        vp_rms_norm(x.pointer + row * strides.x, w.pointer, y.pointer + row * strides.y, heads, n, epsilon)
      }
    }
  }

  /// Adds the gradient of the norm's input to dx, and accumulates the gradient of tuned weights.
  /// - Parameters:
  ///   - strides: from one row to the next, of dy, x and dx.
  func applyBackToHeads(
    _ norm: Norm, to dy: FloatPointer, x: FloatPointer, rows: Int, heads: Int, strides: (dy: Int, x: Int, dx: Int),
    into dx: FloatPointer
  ) {
    let (dy, x, dx, w) = (Shared(dy), Shared(x), Shared(dx), Shared(weights(of: norm)))
    let (n, epsilon, dw) = (norm.weight.count, norm.epsilon, Shared(norm.weight.tuning?.gradient.start))
    split(rows, least: norm.isTuned ? rows : 8) { range in
      for row in range {
        vp_rms_norm_backward(
          dy.pointer + row * strides.dy, x.pointer + row * strides.x, w.pointer, dx.pointer + row * strides.dx,
          dw.pointer, heads, n, epsilon)
      }
    }
  }

  /// Adds the gradient of the norm's input to dx, and accumulates the gradients of tuned weights.
  func applyBack(_ norm: Norm, to dy: FloatPointer, x: UnsafePointer<Float>, rows: Int, into dx: FloatPointer) {
    let (dy, x, dx, w, n) = (Shared(dy), Shared(x), Shared(dx), Shared(weights(of: norm)), norm.weight.count)
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
  ///   - norm: nil for none.
  ///   - input: of the norm, or of the product.
  ///   - dy: gradient of the product's output.
  ///   - dx: gradient of the norm's input, which is added to; nil if not needed.
  func applyBack(
    _ linear: Linear, behind norm: Norm?, to dy: FloatPointer, input: FloatPointer, rows: Int, into dx: FloatPointer?
  ) {
    let normed = scratch(.normed, rows * linear.inputs)
    if linear.isTuned {
      if let norm { apply(norm, to: input, rows: rows, into: normed) }
      addGradients(of: linear, x: norm == nil ? input : normed, dy: dy, rows: rows)
    }
    guard let dx else { return }
    applyBack(linear, to: dy, rows: rows, into: normed)
    if let norm {
      applyBack(norm, to: normed, x: input, rows: rows, into: dx)
    } else {
      add(normed, to: dx, rows: rows, linear.inputs)
    }
  }
}
