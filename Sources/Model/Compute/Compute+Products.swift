import CCompute

/// Matrix products in the chosen precision. The right-hand side is packed once for all threads, from its stored dtype,
/// so no weight is ever widened to float32 as a whole. Each element of a result is the same sum in the same order,
/// however the work is split.
extension Compute {
  /// A packed right-hand side.
  struct Packed: @unchecked Sendable {
    fileprivate let data: UnsafeMutableRawPointer
    /// For OpenBLAS, which packs matrices itself.
    fileprivate var plain: Matrix?
    let rows: Int
    let columns: Int
  }

  /// Packs a matrix of rows × columns; valid until the next call.
  func pack(_ matrix: Matrix, rows: Int, columns: Int) -> Packed {
    guard library == nil else {
      let plain = plain(matrix, rows: rows, columns: columns)
      return Packed(data: UnsafeMutableRawPointer(mutating: plain.data), plain: plain, rows: rows, columns: columns)
    }
    let bytes = packedBytes(columns, rows)
    let memory = Packed(data: UnsafeMutableRawPointer(scratch(.weights, bytes / 4 + 16)), rows: rows, columns: columns)
    let unit = Int(VP_GEMM_COLUMNS)
    split((columns + unit - 1) / unit) { range in
      let first = range.lowerBound * unit
      let part = matrix.dropping(columns: first)
      let count = min(columns, range.upperBound * unit) - first
      let place = memory.data + packedBytes(first, rows)
      switch precision {
      case .f32: vp_pack_b_f32(part.isTransposed, count, rows, part.data, part.type, part.stride, place)
      case .bf16: vp_pack_b_bf16(part.isTransposed, count, rows, part.data, part.type, part.stride, place)
      }
    }
    return memory
  }

  private func packedBytes(_ columns: Int, _ rows: Int) -> Int {
    precision == .f32 ? vp_packed_b_f32(columns, rows) : vp_packed_b_bf16(columns, rows)
  }

  /// c = a·b, or c + a·b, for a of rows × b's rows; the rows are split over the threads.
  func multiply(
    _ a: Matrix, rows: Int, _ b: Packed, into c: FloatPointer, stride: Int, accumulate: Bool = false
  ) {
    let c = Shared(c)
    if let library, let plain = b.plain {
      return splitNumbered(rows, least: 8) { _, range in
        library.multiply(
          range.count, b.columns, b.rows, a.dropping(rows: range.lowerBound), plain,
          into: c.pointer + range.lowerBound * stride, stride: stride, accumulate: accumulate)
      }
    }
    let bytes = precision == .f32 ? vp_gemm_f32_packed_scratch(rows, b.rows) : vp_gemm_bf16_packed_scratch(rows, b.rows)
    let size = bytes / 4 + 16
    let memory = Shared(scratch(.packing, size * threads))
    splitNumbered(rows, least: 8) { thread, range in
      let part = a.dropping(rows: range.lowerBound)
      let out = c.pointer + range.lowerBound * stride
      let space = memory.pointer + thread * size
      switch precision {
      case .f32:
        vp_gemm_f32_packed(
          part.isTransposed, range.count, b.columns, b.rows, part.data, part.type, part.stride, b.data, out, stride,
          accumulate, space)
      case .bf16:
        vp_gemm_bf16_packed(
          part.isTransposed, range.count, b.columns, b.rows, part.data, part.type, part.stride, b.data, out, stride,
          accumulate, space)
      }
    }
  }

  /// Floats of scratch memory for a product of at most this size on one thread.
  func smallScratch(_ m: Int, _ n: Int, _ k: Int) -> Int {
    (precision == .f32 ? vp_gemm_f32_scratch(m, n, k) : vp_gemm_bf16_scratch(m, n, k)) / 4 + 16
  }

  /// c[m × n] = a·b, or c + a·b, on the calling thread.
  func multiplySmall(
    _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, _ b: Matrix, into c: FloatPointer, stride: Int, accumulate: Bool = false,
    scratch: FloatPointer
  ) {
    if let library {
      return library.multiply(m, n, k, a, b, into: c, stride: stride, accumulate: accumulate)
    }
    switch precision {
    case .f32:
      vp_gemm_f32(
        a.isTransposed, b.isTransposed, m, n, k, a.data, a.type, a.stride, b.data, b.type, b.stride, c, stride,
        accumulate, scratch)
    case .bf16:
      vp_gemm_bf16(
        a.isTransposed, b.isTransposed, m, n, k, a.data, a.type, a.stride, b.data, b.type, b.stride, c, stride,
        accumulate, scratch)
    }
  }
}
