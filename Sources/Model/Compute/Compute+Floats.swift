import CCompute

/// Products of float32 numbers: weights in another dtype are widened first, as many rows at a time as stay in the
/// processor's cache until they are used.
extension Compute {
  func applyFloats(
    _ linear: Linear, _ x: UnsafePointer<Float>, _ rows: Int, _ y: UnsafeMutablePointer<Float>
  ) {
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
  }

  func applyFloatsBack(
    _ linear: Linear, _ dy: UnsafePointer<Float>, _ rows: Int, _ dx: UnsafeMutablePointer<Float>
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
          into: result.pointer + range.lowerBound * inputs, stride: inputs, accumulate: block.lowerBound > 0)
      }
    }
  }

  func addFloatGradients(_ linear: Linear, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ rows: Int) {
    let (input, source) = (Shared(x), Shared(dy))
    let (inputs, outputs) = (linear.inputs, linear.outputs)
    for part in linear.parts {
      guard let gradient = part.weight.tuning?.gradient else { continue }
      let first = part.outputs.lowerBound
      split(part.outputs.count, least: 8) { range in
        blas.multiply(
          range.count, inputs, rows,
          .init(data: source.pointer + first + range.lowerBound, stride: outputs, isTransposed: true),
          .init(data: input.pointer, stride: inputs),
          into: gradient.start + range.lowerBound * inputs, stride: inputs, accumulate: true)
      }
    }
  }

  /// Calls `body` with W as float32, in blocks of rows that fit the scratch memory.
  private func forEachBlock(of linear: Linear, _ body: (Range<Int>, UnsafePointer<Float>) -> Void) {
    if linear.parts.count == 1, let floats = linear.parts[0].weight.floats {
      return body(0..<linear.outputs, floats)
    }
    let rows = max(1, min(linear.outputs, Self.blockBytes / 4 / linear.inputs))
    let memory = Shared(scratch(.weights, rows * linear.inputs))
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
