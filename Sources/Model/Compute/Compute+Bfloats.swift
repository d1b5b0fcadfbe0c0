import CCompute

/// Products of numbers rounded to bf16, with sums in float32. The right-hand side is packed once for all threads, from
/// whatever dtype it has.
extension Compute {
  func applyBfloats(
    _ linear: Linear, _ x: UnsafePointer<Float>, _ rows: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    for part in linear.parts {
      for block in blocks(part.outputs.count, bytesEach: 2 * inputs) {
        let packed = pack(
          transposed: true, columns: block.count, depth: inputs, part.weight.matrix(fromRow: block.lowerBound))
        multiply(
          rows, block.count, inputs, Matrix(x, stride: inputs), packed,
          into: y + part.outputs.lowerBound + block.lowerBound, stride: outputs)
      }
    }
  }

  func applyBfloatsBack(
    _ linear: Linear, _ dy: UnsafePointer<Float>, _ rows: Int, _ dx: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    for part in linear.parts {
      for block in blocks(part.outputs.count, bytesEach: 2 * inputs) {
        let packed = pack(
          transposed: false, columns: inputs, depth: block.count, part.weight.matrix(fromRow: block.lowerBound))
        let first = part.outputs.lowerBound + block.lowerBound
        multiply(
          rows, inputs, block.count, Matrix(dy + first, stride: outputs), packed, into: dx, stride: inputs,
          accumulate: first > 0)
      }
    }
  }

  func addBfloatGradients(_ linear: Linear, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ rows: Int) {
    guard linear.parts.contains(where: { $0.weight.tuning != nil }) else { return }
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    let packed = pack(transposed: false, columns: inputs, depth: rows, Matrix(x, stride: inputs))
    for part in linear.parts {
      guard let gradient = part.weight.tuning?.gradient else { continue }
      multiply(
        part.outputs.count, inputs, rows, Matrix(dy + part.outputs.lowerBound, stride: outputs), isTransposed: true,
        packed, into: gradient.start, stride: inputs, accumulate: true)
    }
  }

  /// A matrix in memory, in one of the dtypes that can be packed.
  struct Matrix: @unchecked Sendable {
    let data: UnsafeRawPointer
    let type: vp_type
    /// Numbers from row to row.
    let stride: Int

    init(_ data: UnsafeRawPointer, _ type: vp_type = VP_F32, stride: Int) {
      self.data = data
      self.type = type
      self.stride = stride
    }

    func advanced(by numbers: Int) -> Matrix {
      Matrix(data + numbers * (type == VP_F32 ? 4 : 2), type, stride: stride)
    }
  }

  private struct Packed: @unchecked Sendable { let data: UnsafeMutableRawPointer }

  private func blocks(_ count: Int, bytesEach: Int) -> [Range<Int>] {
    let rows = max(1, Self.blockBytes / 2 / bytesEach)
    return stride(from: 0, to: count, by: rows).map { $0..<min($0 + rows, count) }
  }

  /// - Parameter transposed: the matrix has a row for each column of what is packed.
  private func pack(transposed: Bool, columns: Int, depth: Int, _ matrix: Matrix) -> Packed {
    let memory = Packed(data: UnsafeMutableRawPointer(scratch(.weights, vp_packed_b_bf16(columns, depth) / 4 + 16)))
    let unit = Int(VP_GEMM_COLUMNS)
    split((columns + unit - 1) / unit) { range in
      let first = range.lowerBound * unit
      let count = min(columns, range.upperBound * unit) - first
      let source = matrix.advanced(by: transposed ? first * matrix.stride : first)
      vp_pack_b_bf16(
        transposed, count, depth, source.data, source.type, source.stride, memory.data + vp_packed_b_bf16(first, depth))
    }
    return memory
  }

  /// c[m × n] = a·b, or c + a·b, the rows split over the threads.
  private func multiply(
    _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, isTransposed: Bool = false, _ b: Packed,
    into c: UnsafeMutablePointer<Float>, stride: Int, accumulate: Bool = false
  ) {
    let c = Shared(c)
    let size = vp_gemm_bf16_packed_scratch(m, k) / 4 + 16
    let memory = Shared(scratch(.packing, size * threads))
    splitNumbered(m, least: 8) { thread, range in
      let first = range.lowerBound
      let rows = a.advanced(by: isTransposed ? first : first * a.stride)
      vp_gemm_bf16_packed(
        isTransposed, range.count, n, k, rows.data, rows.type, rows.stride, b.data, c.pointer + first * stride, stride,
        accumulate, memory.pointer + thread * size)
    }
  }
}
