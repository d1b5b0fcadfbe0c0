import CCompute
import Families

extension Compute {
  /// y = f(x), element by element, [rows, n]; for a gated MLP f(gate)·up, where x, [rows, 2·n], holds both side by
  /// side.
  func activate(
    _ f: Activation, isGated: Bool, _ x: FloatPointer, rows: Int, _ n: Int, into y: FloatPointer
  ) {
    let (x, y) = (Shared(x), Shared(y))
    split(rows, least: 8) { range in
      let (first, count) = (range.lowerBound * n, range.count * n)
      if isGated {
        guard f != .silu, let (linear, cubic) = f.swish else {
          return vp_silu_mul(x.pointer + 2 * first, y.pointer + first, range.count, n)
        }
        return vp_swish_mul(x.pointer + 2 * first, y.pointer + first, range.count, n, linear, cubic)
      }
      if let (linear, cubic) = f.swish {
        vp_swish(x.pointer + first, y.pointer + first, count, linear, cubic)
      } else {
        vp_gelu(x.pointer + first, y.pointer + first, count)
      }
    }
  }

  /// dx: the gradient of x, given dy.
  func activateBack(
    _ f: Activation, isGated: Bool, _ x: FloatPointer, dy: FloatPointer, rows: Int, _ n: Int,
    into dx: FloatPointer
  ) {
    let (x, dy, dx) = (Shared(x), Shared(dy), Shared(dx))
    split(rows, least: 8) { range in
      let (first, count) = (range.lowerBound * n, range.count * n)
      if isGated {
        let (x, dy, dx) = (x.pointer + 2 * first, dy.pointer + first, dx.pointer + 2 * first)
        guard f != .silu, let (linear, cubic) = f.swish else {
          return vp_silu_mul_backward(x, dy, dx, range.count, n)
        }
        return vp_swish_mul_backward(x, dy, dx, range.count, n, linear, cubic)
      }
      if let (linear, cubic) = f.swish {
        vp_swish_backward(x.pointer + first, dy.pointer + first, dx.pointer + first, count, linear, cubic)
      } else {
        vp_gelu_backward(x.pointer + first, dy.pointer + first, dx.pointer + first, count)
      }
    }
  }
}

extension Activation {
  /// The factors a and b of x·σ(a·x + b·x³), for activations of that form.
  fileprivate var swish: (Float, Float)? {
    switch self {
    case .gelu: nil
    case .geluTanh: (1.595_769_122, 0.071_354_816)
    case .quickGELU: (1.702, 0)
    case .silu: (1, 0)
    }
  }
}
