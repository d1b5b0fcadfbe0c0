import Glibc

/// The standard normal distribution.
package enum Normal {
  /// Cumulative distribution function.
  package static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// Quantile function, for `p` within 0 … 1, exclusive.
  ///
  /// Bisection on `cumulative`: called once per record, so accuracy matters more than speed.
  package static func quantile(_ p: Double) -> Double {
    precondition(p > 0 && p < 1, "a quantile needs a probability between 0 and 1")
    // In the upper half, 1 − p is used to keep precision.
    guard p <= 0.5 else { return -quantile(1 - p) }
    var (low, high) = (-40.0, 0.0)
    while true {
      let middle = (low + high) / 2
      if middle <= low || middle >= high { return high }
      if cumulative(middle) < p { low = middle } else { high = middle }
    }
  }

  /// Standard errors to either side that contain the middle 95 %: 1.959964.
  package static let z95 = quantile(0.975)
}
