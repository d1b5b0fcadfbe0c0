import CCompute

extension Compute {
  /// Up to this many rows are multiplied as vectors, since reading the weights then dominates.
  private static let fewRows = 8
  /// Maximum bytes of a weight that are packed at a time, so that they stay in the processor's cache.
  static let blockBytes = 32 << 20

  /// y[rows × outputs] = x[rows × inputs]·Wᵀ + b.
  /// - Parameter isRowAlone: a row's result is bitwise independent of the number of rows, small numbers included.
  func apply(
    _ linear: Linear, to x: UnsafePointer<Float>, rows: Int, into y: FloatPointer, isRowAlone: Bool = false
  ) {
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    for part in linear.parts {
      let out = y + part.outputs.lowerBound
      if rows <= Self.fewRows, !isRowAlone {
        applyToFew(part, x, rows, out, inputs: inputs, stride: outputs)
      } else {
        for block in blocks(part.outputs.count, inputs) {
          let weights = pack(
            part.weight.matrix.dropping(rows: block.lowerBound).transposed, rows: inputs, columns: block.count)
          multiply(Matrix(x, stride: inputs), rows: rows, weights, into: out + block.lowerBound, stride: outputs)
        }
      }
      if let factors = part.weight.activeFactors {
        addProduct(of: factors, to: x, rows: rows, into: out, stride: outputs)
      }
      guard let bias = part.bias.map({ Shared($0.values) }) else { continue }
      let shared = Shared(out)
      split(rows, least: 8) { range in
        vp_add_to_rows(
          shared.pointer + range.lowerBound * outputs, bias.pointer, range.count, part.outputs.count, outputs)
      }
    }
  }

  private func applyToFew(
    _ part: Linear.Part, _ x: UnsafePointer<Float>, _ rows: Int, _ y: FloatPointer, inputs: Int, stride: Int
  ) {
    let (x, y, weight) = (Shared(x), Shared(y), part.weight.matrix)
    split(part.outputs.count, least: 16) { range in
      let part = weight.dropping(rows: range.lowerBound)
      vp_gemv(
        range.count, inputs, part.data, part.type, part.stride, rows, x.pointer, inputs, y.pointer + range.lowerBound,
        stride)
    }
  }

  /// dx[rows × inputs] = dy[rows × outputs]·W.
  func applyBack(_ linear: Linear, to dy: UnsafePointer<Float>, rows: Int, into dx: FloatPointer) {
    for part in linear.parts {
      for block in blocks(part.outputs.count, linear.inputs) {
        let weights = pack(
          part.weight.matrix.dropping(rows: block.lowerBound), rows: block.count, columns: linear.inputs)
        let first = part.outputs.lowerBound + block.lowerBound
        multiply(
          Matrix(dy + first, stride: linear.outputs), rows: rows, weights, into: dx, stride: linear.inputs,
          accumulate: first > 0)
      }
    }
    for part in linear.parts {
      guard let factors = part.weight.activeFactors else { continue }
      addInputGradient(
        of: factors, dy: Matrix(dy + part.outputs.lowerBound, stride: linear.outputs), rows: rows, to: dx)
    }
  }

  /// Adds dyᵀ·x to the gradients of the tuned parts, and the sums of dy's rows to those of their biases.
  func addGradients(of linear: Linear, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, rows: Int) {
    var packed: Packed?
    for part in linear.parts {
      if let gradient = part.weight.tuning?.gradient {
        let input = packed ?? pack(Matrix(x, stride: linear.inputs), rows: rows, columns: linear.inputs)
        packed = input
        multiply(
          Matrix(dy + part.outputs.lowerBound, stride: linear.outputs).transposed, rows: part.outputs.count, input,
          into: gradient.start, stride: linear.inputs, accumulate: true)
      }
      if let gradient = part.bias?.tuning?.gradient {
        vp_sum_rows(dy + part.outputs.lowerBound, gradient.start, rows, part.outputs.count, linear.outputs)
      }
    }
    for part in linear.parts {
      guard let factors = part.weight.activeFactors else { continue }
      addGradients(of: factors, x: x, dy: Matrix(dy + part.outputs.lowerBound, stride: linear.outputs), rows: rows)
    }
  }

  private func blocks(_ rows: Int, _ inputs: Int) -> [Range<Int>] {
    let size = max(1, Self.blockBytes / (precision == .f32 ? 4 : 2) / inputs)
    return stride(from: 0, to: rows, by: size).map { $0..<min($0 + size, rows) }
  }
}
