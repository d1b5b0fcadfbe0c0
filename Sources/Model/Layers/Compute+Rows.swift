import CCompute

/// Elementwise operations on rows, between the products.
extension Compute {
  /// y += x, [rows, n].
  func add(_ x: UnsafePointer<Float>, to y: FloatPointer, rows: Int, _ n: Int) {
    let (x, y) = (Shared(x), Shared(y))
    split(rows, least: 16) { range in
      vp_add(y.pointer + range.lowerBound * n, x.pointer + range.lowerBound * n, range.count * n)
    }
  }

  /// Multiplies each row of y by a vector.
  func scale(_ y: FloatPointer, by vector: Parameter, rows: Int) {
    let (y, scale, n) = (Shared(y), Shared(vector.values), vector.count)
    split(rows, least: 16) { range in
      vp_scale_rows(y.pointer + range.lowerBound * n, scale.pointer, range.count, n)
    }
  }

  /// Rotates queries and keys (rotary embedding), [rows, width of queries, keys and values].
  /// - Parameters:
  ///   - rotary: which of the activations' rotary embeddings.
  ///   - direction: −1 rotates a gradient back.
  func rotate(_ x: FloatPointer, rows: Int, _ activations: Activations, _ rotary: Int = 0, direction: Float) {
    let (x, shape) = (Shared(x), activations.shape.attention)
    let (width, heads) = (shape.width, shape.heads + shape.keyValueHeads)
    let half = activations.shape.rotaryPairs ?? shape.headSize / 2
    let (cosines, sines) = activations.rotations[rotary]
    split(rows, least: 8) { range in
      let first = range.lowerBound
      vp_rotate(
        x.pointer + first * width, range.count, width, heads, shape.headSize, half, cosines.start + first * half,
        sines.start + first * half, direction)
    }
  }
}
