import CCompute
import Glibc

extension Compute {
  /// y[rows × outputs] = x[rows × inputs]·Wᵀ + b.
  func apply(_ linear: Linear, to x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    let (source, result) = (Shared(x), Shared(y))
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    forEachBlock(of: linear) { block, weights in
      let weights = Shared(weights)
      split(rows, least: 8) { range in
        blas.multiply(
          range.count, block.count, inputs,
          .init(data: source.pointer + range.lowerBound * inputs, stride: inputs),
          .init(data: weights.pointer, stride: inputs, isTransposed: true),
          into: result.pointer + range.lowerBound * outputs + block.lowerBound, stride: outputs)
      }
    }
    for part in linear.parts {
      guard let bias = part.bias.map({ Shared($0.values) }) else { continue }
      split(rows, least: 8) { range in
        vp_add_to_rows(
          result.pointer + range.lowerBound * outputs + part.outputs.lowerBound, bias.pointer, range.count,
          part.outputs.count, outputs)
      }
    }
  }

  /// dx[rows × inputs] = dy[rows × outputs]·W, or dx + that.
  func applyBack(
    _ linear: Linear, to dy: UnsafePointer<Float>, rows: Int, into dx: UnsafeMutablePointer<Float>,
    accumulate: Bool = false
  ) {
    let (source, result) = (Shared(dy), Shared(dx))
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    forEachBlock(of: linear) { block, weights in
      let weights = Shared(weights)
      split(rows, least: 8) { range in
        blas.multiply(
          range.count, inputs, block.count,
          .init(data: source.pointer + range.lowerBound * outputs + block.lowerBound, stride: outputs),
          .init(data: weights.pointer, stride: inputs),
          into: result.pointer + range.lowerBound * inputs, stride: inputs,
          accumulate: accumulate || block.lowerBound > 0)
      }
    }
  }

  /// Adds dyᵀ·x to the gradients of the parts that are tuned, and the sums of dy's rows to those of their biases.
  func addGradients(of linear: Linear, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, rows: Int) {
    let (input, source) = (Shared(x), Shared(dy))
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    for part in linear.parts {
      let first = part.outputs.lowerBound
      if let gradient = part.weight.tuning?.gradient {
        split(part.outputs.count, least: 8) { range in
          blas.multiply(
            range.count, inputs, rows,
            .init(data: source.pointer + first + range.lowerBound, stride: outputs, isTransposed: true),
            .init(data: input.pointer, stride: inputs),
            into: gradient.start + range.lowerBound * inputs, stride: inputs, accumulate: true)
        }
      }
      if let gradient = part.bias?.tuning?.gradient {
        vp_sum_rows(source.pointer + first, gradient.start, rows, part.outputs.count, outputs)
      }
    }
  }

  /// Calls `body` with W as float32, in blocks of rows that fit the scratch memory.
  private func forEachBlock(of linear: Linear, _ body: (Range<Int>, UnsafePointer<Float>) -> Void) {
    if linear.parts.count == 1, let floats = linear.parts[0].weight.floats(fromRow: 0) {
      return body(0..<linear.outputs, floats)
    }
    let rows = max(1, min(linear.outputs, Self.blockBytes / 4 / linear.inputs))
    let memory = Shared(scratch(.widened, rows * linear.inputs))
    for start in stride(from: 0, to: linear.outputs, by: rows) {
      let block = start..<min(start + rows, linear.outputs)
      split(block.count, least: 16) { range in
        let wanted = start + range.lowerBound..<start + range.upperBound
        for part in linear.parts {
          let shared = wanted.clamped(to: part.outputs)
          guard !shared.isEmpty else { continue }
          let first = part.outputs.lowerBound
          part.weight.widen(
            rows: shared.lowerBound - first..<shared.upperBound - first,
            into: memory.pointer + (shared.lowerBound - start) * linear.inputs)
        }
      }
      body(block, UnsafePointer(memory.pointer))
    }
  }
}
