import Base
import CCompute
import CLoaded

/// Products of float32 numbers by OpenBLAS.
extension Compute {
  /// What computes products of float32 numbers.
  package enum BLAS: String, Sendable, CaseIterable {
    /// The kernels in this program, which give the same bits on any number of threads.
    case vpatch
    case openblas
  }

  /// The library for a choice; nil for the kernels in this program. Those are the default where they have vector
  /// instructions; on other processors OpenBLAS is, if it is installed.
  /// - Throws: `io` where OpenBLAS was chosen and is not installed, `refused` where it cannot compute in that precision.
  static func library(_ choice: BLAS?, _ precision: Precision) throws -> OpenBLAS? {
    guard choice != .openblas || precision == .f32 else {
      throw VPatchError(
        .refused, nil, "OpenBLAS computes products of float32 numbers", remedy: "use --compute f32, or no --blas")
    }
    let found: OpenBLAS?
    switch choice {
    case .vpatch: found = nil
    case .openblas: found = try OpenBLAS.load()
    case nil: found = precision == .f32 && vp_best_isa() == VP_BASELINE ? try? OpenBLAS.load() : nil
    }
    // The work is split over threads here.
    found?.use(threads: 1)
    return found
  }

  /// The same settings, with scratch memory of its own.
  package func another() throws -> Compute { try Compute(threads: threads, precision: precision, blas: blas) }

  /// A matrix of float32 numbers for `multiply`: in place, or widened.
  func plain(_ matrix: Matrix, rows: Int, columns: Int) -> Matrix {
    guard matrix.type != VP_TYPE_F32 else { return matrix }
    let (height, width) = matrix.isTransposed ? (columns, rows) : (rows, columns)
    let out = Shared(scratch(.weights, height * width))
    split(height, least: 16) { range in
      for i in range {
        let row = (matrix.data + 2 * i * matrix.stride).assumingMemoryBound(to: UInt16.self)
        let to = out.pointer + i * width
        if matrix.type == VP_TYPE_BF16 { vp_widen_bf16(row, to, width) } else { vp_widen_f16(row, to, width) }
      }
    }
    var plain = Matrix(out.pointer, stride: width)
    plain.isTransposed = matrix.isTransposed
    return plain
  }
}

extension OpenBLAS {
  /// c[m × n] = a·b, or c + a·b, for float32 numbers, on the calling thread.
  func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, _ b: Matrix, into c: FloatPointer, stride: Int, accumulate: Bool
  ) {
    precondition(a.type == VP_TYPE_F32 && b.type == VP_TYPE_F32, "float32 numbers")
    guard m > 0, n > 0 else { return }
    func order(_ matrix: Matrix) -> CInt { CInt(matrix.isTransposed ? VP_CBLAS_TRANS : VP_CBLAS_NO_TRANS) }
    sgemm(
      CInt(VP_CBLAS_ROW_MAJOR), order(a), order(b), CInt(m), CInt(n), CInt(k), 1,
      a.data.assumingMemoryBound(to: Float.self), CInt(a.stride), b.data.assumingMemoryBound(to: Float.self),
      CInt(b.stride), accumulate ? 1 : 0, c, CInt(stride))
  }
}
