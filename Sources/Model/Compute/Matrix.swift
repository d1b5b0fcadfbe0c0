import CCompute

/// A row-major matrix in memory, of float32, bf16 or float16 numbers.
struct Matrix: @unchecked Sendable {
  let data: UnsafeRawPointer
  let type: vp_type
  /// Elements from the start of one row to the start of the next.
  let stride: Int
  /// Whether rows and columns are exchanged.
  var isTransposed = false

  init(_ data: UnsafeRawPointer, _ type: vp_type = VP_TYPE_F32, stride: Int) {
    self.data = data
    self.type = type
    self.stride = stride
  }

  var transposed: Matrix {
    var matrix = self
    matrix.isTransposed.toggle()
    return matrix
  }

  /// Without the first rows (after transposition).
  func dropping(rows: Int) -> Matrix { advanced(by: isTransposed ? rows : rows * stride) }

  /// Without the first columns (after transposition).
  func dropping(columns: Int) -> Matrix { advanced(by: isTransposed ? columns * stride : columns) }

  private func advanced(by numbers: Int) -> Matrix {
    var matrix = Matrix(data + numbers * (type == VP_TYPE_F32 ? 4 : 2), type, stride: stride)
    matrix.isTransposed = isTransposed
    return matrix
  }
}
