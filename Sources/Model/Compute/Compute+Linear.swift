import CCompute
import Glibc

extension Compute {
  /// y[rows × outputs] = x[rows × inputs]·Wᵀ + b.
  func apply(_ linear: Linear, to x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    switch precision {
    case .f32: applyFloats(linear, x, rows, y)
    case .bf16: applyBfloats(linear, x, rows, y)
    }
    let (result, outputs) = (Shared(y), linear.outputs)
    for part in linear.parts {
      guard let bias = part.bias.map({ Shared($0.values) }) else { continue }
      split(rows, least: 8) { range in
        vp_add_to_rows(
          result.pointer + range.lowerBound * outputs + part.outputs.lowerBound, bias.pointer, range.count,
          part.outputs.count, outputs)
      }
    }
  }

  /// dx[rows × inputs] = dy[rows × outputs]·W.
  func applyBack(_ linear: Linear, to dy: UnsafePointer<Float>, rows: Int, into dx: UnsafeMutablePointer<Float>) {
    switch precision {
    case .f32: applyFloatsBack(linear, dy, rows, dx)
    case .bf16: applyBfloatsBack(linear, dy, rows, dx)
    }
  }

  /// Adds dyᵀ·x to the gradients of the parts that are tuned, and the sums of dy's rows to those of their biases.
  func addGradients(of linear: Linear, x: UnsafePointer<Float>, dy: UnsafePointer<Float>, rows: Int) {
    switch precision {
    case .f32: addFloatGradients(linear, x, dy, rows)
    case .bf16: addBfloatGradients(linear, x, dy, rows)
    }
    for part in linear.parts {
      guard let gradient = part.bias?.tuning?.gradient else { continue }
      vp_sum_rows(dy + part.outputs.lowerBound, gradient.start, rows, part.outputs.count, linear.outputs)
    }
  }
}
