import CCompute

/// Products with the factors of a matrix that is tuned by them (LoRA). Neither B·A nor the matrix with its change is
/// made: all products have the rank as one of their sides.
extension Compute {
  /// y[rows × outputs] += scale · x·Aᵀ·Bᵀ.
  func addProduct(
    of factors: LowRankFactors, to x: UnsafePointer<Float>, rows: Int, into y: FloatPointer, stride: Int
  ) {
    let inner = inner(factors, dropped(x, factors, rows), rows)
    let b = pack(factors.b.matrix.transposed, rows: factors.rank, columns: factors.b.rows)
    multiply(Matrix(inner, stride: factors.rank), rows: rows, b, into: y, stride: stride, accumulate: true)
  }

  /// dx[rows × inputs] += scale · dy·B·A.
  func addInputGradient(of factors: LowRankFactors, dy: Matrix, rows: Int, to dx: FloatPointer) {
    let inputs = factors.a.columns
    let gradient = innerGradient(factors, dy, rows)
    let a = pack(factors.a.matrix, rows: factors.rank, columns: inputs)
    let left = Matrix(gradient, stride: factors.rank)
    guard dropout != nil else { return multiply(left, rows: rows, a, into: dx, stride: inputs, accumulate: true) }
    let whole = scratch(.dropped, rows * inputs)
    multiply(left, rows: rows, a, into: whole, stride: inputs)
    drop(whole, factors, rows, into: dx, accumulate: true)
  }

  /// Adds the gradients of A and B to theirs.
  func addGradients(of factors: LowRankFactors, x: UnsafePointer<Float>, dy: Matrix, rows: Int) {
    guard let a = factors.a.tuning?.gradient, let b = factors.b.tuning?.gradient else { return }
    let (rank, inputs) = (factors.rank, factors.a.columns)
    let x = dropped(x, factors, rows)
    let inner = pack(Matrix(inner(factors, x, rows), stride: rank), rows: rows, columns: rank)
    multiply(dy.transposed, rows: factors.b.rows, inner, into: b.start, stride: rank, accumulate: true)
    let gradient = innerGradient(factors, dy, rows)
    let input = pack(Matrix(x, stride: inputs), rows: rows, columns: inputs)
    multiply(
      Matrix(gradient, stride: rank).transposed, rows: rank, input, into: a.start, stride: inputs, accumulate: true)
  }

  /// scale · x·Aᵀ, [rows × rank].
  private func inner(_ factors: LowRankFactors, _ x: UnsafePointer<Float>, _ rows: Int) -> FloatPointer {
    let (rank, inputs) = (factors.rank, factors.a.columns)
    let out = scratch(.lowRank, rows * rank)
    let a = pack(factors.a.matrix.transposed, rows: inputs, columns: rank)
    multiply(Matrix(x, stride: inputs), rows: rows, a, into: out, stride: rank)
    vp_scale(out, Float(factors.scale), rows * rank)
    return out
  }

  /// scale · dy·B, [rows × rank].
  private func innerGradient(_ factors: LowRankFactors, _ dy: Matrix, _ rows: Int) -> FloatPointer {
    let rank = factors.rank
    let out = scratch(.lowRankGradient, rows * rank)
    multiply(dy, rows: rows, pack(factors.b.matrix, rows: factors.b.rows, columns: rank), into: out, stride: rank)
    vp_scale(out, Float(factors.scale), rows * rank)
    return out
  }

  // MARK: Dropout

  /// The factors' input: some numbers of x are dropped in training.
  private func dropped(_ x: UnsafePointer<Float>, _ factors: LowRankFactors, _ rows: Int) -> UnsafePointer<Float> {
    guard dropout != nil else { return x }
    let out = scratch(.dropped, rows * factors.a.columns)
    drop(x, factors, rows, into: out, accumulate: false)
    return UnsafePointer(out)
  }

  private func drop(
    _ x: UnsafePointer<Float>, _ factors: LowRankFactors, _ rows: Int, into out: FloatPointer, accumulate: Bool
  ) {
    guard let dropout else { return }
    precondition(dropout.keys.count == rows, "a key for each token")
    let (x, out, n, number) = (Shared(x), Shared(out), factors.a.columns, factors.number)
    split(rows, least: 8) { range in
      for i in range {
        let key = vp_mix64(dropout.keys[i] &+ number &* 0x9E37_79B9_7F4A_7C15)
        vp_dropout(x.pointer + i * n, out.pointer + i * n, n, key, dropout.dropped, accumulate)
      }
    }
  }
}
