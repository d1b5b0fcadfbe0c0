import Base
import CLoaded

/// The product of two factors that is nearest to a matrix, for a rank: its truncated singular value decomposition
/// (Eckart and Young, 1936).
///
/// The singular vectors of the smaller side are the eigenvectors of Δ·Δᵀ or Δᵀ·Δ, which is summed block by block. The
/// other factor is a projection on them, so the product is as near as these vectors allow. Memory: a square matrix of
/// the smaller side, and a block.
struct MatrixApproximation {
  /// [rank × columns]
  let a: [Float]
  /// [rows × rank]
  let b: [Float]
  let rank: Int
  /// ‖Δ‖, Frobenius.
  let norm: Double
  /// ‖Δ − B·A‖ with the factors as they are, in float32.
  let error: Double

  /// How many singular values are taken.
  enum Size: Equatable, Sendable {
    case rank(Int)
    /// As few as leave at most this share of the norm.
    case error(Double)
  }

  init(_ matrix: MatrixDifference, _ size: Size, _ blas: OpenBLAS) throws {
    let (rows, columns) = (matrix.rows, matrix.columns)
    let isTall = rows >= columns
    let n = min(rows, columns)
    var gram = [Double](repeating: 0, count: n * n)
    norm = try isTall ? Self.addGramOfColumns(matrix, blas, &gram) : Self.addGramOfRows(matrix, blas, &gram)
    guard norm.isFinite else {
      throw VPatchError(.refused, nil, "has changes that are not finite numbers, which factors cannot have")
    }
    let most: Int = if case .rank(let rank) = size { min(rank, n) } else { n }
    let (values, vectors) = try blas.largestEigenvectors(of: &gram, n: n, count: most)
    gram = []
    rank = max(1, Self.rank(size, values, norm: norm))
    // Both factors get the root of each singular value, so that neither is much larger than the other.
    let roots = (0..<rank).map { max(values[$0], 0).squareRoot().squareRoot() }
    let inverse = roots.map { $0 > 0 ? 1 / $0 : 0 }
    let top = Array(vectors[..<(rank * n)])
    let projected = try Self.project(matrix, on: top, rank, isTall: isTall, blas)
    // Rows are singular vectors in both.
    let own = (0..<rank).flatMap { i in top[i * n..<(i + 1) * n].map { Float($0 * roots[i]) } }
    let m = isTall ? rows : columns
    let other = (0..<rank).flatMap { i in projected[i * m..<(i + 1) * m].map { Float($0 * inverse[i]) } }
    a = isTall ? own : other
    b = Self.transposed(isTall ? other : own, rows: rank, columns: isTall ? m : n)
    error = try Self.error(matrix, a: a, b: b, rank, blas)
  }

  private static func rank(_ size: Size, _ values: [Double], norm: Double) -> Int {
    switch size {
    case .rank: return values.count
    case .error(let share):
      var rest = norm * norm
      let limit = share * share * rest
      for (i, value) in values.enumerated() {
        if rest <= limit { return i }
        rest -= max(value, 0)
      }
      return values.count
    }
  }

  /// Δᵀ·Δ. Returns ‖Δ‖.
  private static func addGramOfColumns(
    _ matrix: MatrixDifference, _ blas: OpenBLAS, _ gram: inout [Double]
  ) throws -> Double {
    let n = CInt(matrix.columns)
    try matrix.forEachBlock { range, block in
      blas.dsyrk(
        CInt(VP_CBLAS_ROW_MAJOR), CInt(VP_CBLAS_UPPER), CInt(VP_CBLAS_TRANS), n, CInt(range.count), 1, block, n, 1,
        &gram, n)
    }
    return trace(gram, matrix.columns).squareRoot()
  }

  /// Δ·Δᵀ. Returns ‖Δ‖.
  private static func addGramOfRows(
    _ matrix: MatrixDifference, _ blas: OpenBLAS, _ gram: inout [Double]
  ) throws -> Double {
    let (n, k) = (CInt(matrix.rows), CInt(matrix.columns))
    let first = UnsafeMutablePointer<Double>.allocate(capacity: matrix.blockRows * matrix.columns)
    defer { first.deallocate() }
    // The rows of one block with those of each later block.
    for own in matrix.blocks {
      try matrix.forEachBlock(from: own.lowerBound) { range, block in
        if range == own { first.update(from: block, count: range.count * matrix.columns) }
        gram.withUnsafeMutableBufferPointer { gram in
          blas.dgemm(
            CInt(VP_CBLAS_ROW_MAJOR), CInt(VP_CBLAS_NO_TRANS), CInt(VP_CBLAS_TRANS), CInt(own.count),
            CInt(range.count), k, 1, first, k, block, k, 0,
            gram.baseAddress! + own.lowerBound * matrix.rows + range.lowerBound, n)
        }
      }
    }
    return trace(gram, matrix.rows).squareRoot()
  }

  private static func trace(_ matrix: [Double], _ n: Int) -> Double {
    (0..<n).reduce(0) { $0 + matrix[$1 * n + $1] }
  }

  /// The other side's numbers of each singular vector, [rank × other side].
  private static func project(
    _ matrix: MatrixDifference, on vectors: [Double], _ rank: Int, isTall: Bool, _ blas: OpenBLAS
  ) throws -> [Double] {
    let (rows, columns) = (matrix.rows, matrix.columns)
    let width = isTall ? rows : columns
    var out = [Double](repeating: 0, count: rank * width)
    try matrix.forEachBlock { range, block in
      out.withUnsafeMutableBufferPointer { out in
        if isTall {
          // V·Δᵀ, the columns of the block's rows.
          blas.dgemm(
            CInt(VP_CBLAS_ROW_MAJOR), CInt(VP_CBLAS_NO_TRANS), CInt(VP_CBLAS_TRANS), CInt(rank), CInt(range.count),
            CInt(columns), 1, vectors, CInt(columns), block, CInt(columns), 0, out.baseAddress! + range.lowerBound,
            CInt(width))
        } else {
          // U·Δ, summed over the blocks.
          vectors.withUnsafeBufferPointer { vectors in
            blas.dgemm(
              CInt(VP_CBLAS_ROW_MAJOR), CInt(VP_CBLAS_NO_TRANS), CInt(VP_CBLAS_NO_TRANS), CInt(rank), CInt(columns),
              CInt(range.count), 1, vectors.baseAddress! + range.lowerBound, CInt(rows), block, CInt(columns), 1,
              out.baseAddress!, CInt(width))
          }
        }
      }
    }
    return out
  }

  private static func transposed(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: rows * columns) { out, count in
      for i in 0..<rows { for j in 0..<columns { out[j * rows + i] = matrix[i * columns + j] } }
      count = rows * columns
    }
  }

  private static func error(
    _ matrix: MatrixDifference, a: [Float], b: [Float], _ rank: Int, _ blas: OpenBLAS
  ) throws -> Double {
    let (right, left) = (a.map(Double.init), b.map(Double.init))
    let columns = matrix.columns
    var sum = 0.0
    try matrix.forEachBlock { range, block in
      left.withUnsafeBufferPointer { left in
        blas.dgemm(
          CInt(VP_CBLAS_ROW_MAJOR), CInt(VP_CBLAS_NO_TRANS), CInt(VP_CBLAS_NO_TRANS), CInt(range.count), CInt(columns),
          CInt(rank), -1, left.baseAddress! + range.lowerBound * rank, CInt(rank), right, CInt(columns), 1, block,
          CInt(columns))
      }
      for i in 0..<range.count * columns { sum += block[i] * block[i] }
    }
    return sum.squareRoot()
  }
}
