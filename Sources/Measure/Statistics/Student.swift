import Glibc

/// Student's t distribution.
package enum Student {
  /// Probability beyond ±`t`: I_x(ν/2, ½) with x = ν / (ν + t²) (NIST DLMF, 8.17).
  /// - Parameter degrees: ν, degrees of freedom; at least one.
  package static func tails(_ t: Double, degrees: Int) -> Double {
    let n = Double(degrees)
    return incompleteBeta(n / (n + t * t), n / 2, 0.5)
  }

  /// Standard errors to either side that contain the middle 95 %: 12.7 for one degree of freedom, 1.96 for many.
  package static func t95(degrees: Int) -> Double {
    precondition(degrees >= 1, "a t distribution needs at least one degree of freedom")
    // Bisection on `tails`, as in Normal.quantile.
    var (low, high) = (1.0, 16.0)
    while true {
      let middle = (low + high) / 2
      if middle <= low || middle >= high { return high }
      if tails(middle, degrees: degrees) > 0.05 { low = middle } else { high = middle }
    }
  }

  /// The regularised incomplete beta function by its continued fraction (NIST DLMF, 8.17.22).
  private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    // The fraction converges fast below the mean; above it, the symmetric tail is used.
    guard x <= (a + 1) / (a + b + 2) else { return 1 - incompleteBeta(1 - x, b, a) }
    guard x > 0 else { return 0 }
    var sign: CInt = 0
    let logBeta = lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign)
    let front = exp(a * log(x) + b * log1p(-x) - logBeta) / a
    return front / fraction(x, a, b)
  }

  /// 1 + d₁/(1 + d₂/(1 + …)), by Lentz's method with Thompson and Barnett's safeguard.
  private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    var (value, c, d) = (1.0, 1.0, 0.0)
    for i in 1...10_000 {
      let m = Double(i / 2)
      let term =
        i % 2 == 0
        ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      d = 1 + term * d
      d = 1 / (abs(d) < tiny ? tiny : d)
      c = 1 + term / c
      if abs(c) < tiny { c = tiny }
      value *= c * d
      if abs(c * d - 1) < 1e-16 { break }
    }
    return value
  }
}
