import Checkpoints
import PatchFormat

/// The factors of the two tensors in a SLERP (spec/stacks.md, section 5.6).
struct SlerpCoefficients: Equatable, Sendable {
  package let a: Double
  package let b: Double
  /// Whether the tensors are nearly parallel or opposite, or one is zero, so that linear interpolation is used.
  let isLinear: Bool

  /// mergekit's limit.
  static let mostCosine = 0.9995

  init(t: Double, between a: any TensorSource, and b: any TensorSource, _ kernel: Kernel) throws {
    let dots = try TensorPair(a, b, kernel).dots()
    self.init(t: t, dots.first, dots.second, dots.both)
  }

  /// - Parameter squaresA, squaresB, products: sums over the elements.
  init(t: Double, _ squaresA: Double, _ squaresB: Double, _ products: Double) {
    let cosine = products / (squaresA.squareRoot() * squaresB.squareRoot())
    isLinear = !(squaresA.isFinite && squaresB.isFinite && abs(cosine) <= Self.mostCosine)
    guard !isLinear else {
      (self.a, self.b) = (1 - t, t)
      return
    }
    let angle = ExactMath.acos(cosine)
    let whole = ExactMath.sin(angle)
    self.a = ExactMath.sin((1 - t) * angle) / whole
    self.b = ExactMath.sin(t * angle) / whole
  }
}

/// Functions with the same results on every machine: those of the C library may differ in the last bit. Each step is
/// one IEEE 754 operation. The results are accurate to about 1e-15.
enum ExactMath {
  /// - Parameter c: from −0.9995 to 0.9995.
  static func acos(_ c: Double) -> Double { 2 * atan(((1 - c) / (1 + c)).squareRoot()) }

  /// Halves the angle three times, to a tangent below 0.2; then x − x³/3 + x⁵/5 − … − x²³/23.
  /// - Parameter x: 0 or above.
  static func atan(_ tangent: Double) -> Double {
    var x = tangent
    for _ in 0..<3 { x = x / (1 + (1 + x * x).squareRoot()) }
    let y = x * x
    var series = 0.0
    for n in stride(from: 23, through: 1, by: -2) {
      let term = 1 / Double(n)
      series = (n % 4 == 1 ? term : -term) + y * series
    }
    return 8 * (x * series)
  }

  /// x − x³/3! + x⁵/5! − … − x²³/23!, reflected at π/2.
  /// - Parameter x: from 0 to π.
  package static func sin(_ angle: Double) -> Double {
    let x = angle > 0x1.921fb54442d18p+0 ? 0x1.921fb54442d18p+1 - angle : angle
    let y = x * x
    var series = 1.0
    for n in stride(from: 22, through: 2, by: -2) { series = 1 - y / Double(n * (n + 1)) * series }
    return x * series
  }
}
