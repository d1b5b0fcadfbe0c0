import CCompute

/// A row-major matrix in memory, of float32, bf16 or float16 numbers.
struct Matrix: @unchecked Sendable {
  let data: UnsafeRawPointer
  let type: vp_type
  /// Numbers from row to row.
  let stride: Int
  /// It is to be read with rows and columns exchanged.
  var isTransposed = false

  init(_ data: UnsafeRawPointer, _ type: vp_type = VP_F32, stride: Int) {
    self.data = data
    self.type = type
    self.stride = stride
  }

  var transposed: Matrix {
    var matrix = self
    matrix.isTransposed.toggle()
    return matrix
  }

  /// Without its first rows, as they are read.
  func dropping(rows: Int) -> Matrix { advanced(by: isTransposed ? rows : rows * stride) }

  /// Without its first columns, as they are read.
  func dropping(columns: Int) -> Matrix { advanced(by: isTransposed ? columns * stride : columns) }

  private func advanced(by numbers: Int) -> Matrix {
    var matrix = Matrix(data + numbers * (type == VP_F32 ? 4 : 2), type, stride: stride)
    matrix.isTransposed = isTransposed
    return matrix
  }
}
