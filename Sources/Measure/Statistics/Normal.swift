import Glibc

/// The standard normal distribution.
package enum Normal {
  /// The share of the distribution below `x`.
  package static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// The `x` with the share `p` of the distribution below it; `p` within 0 … 1, exclusive.
  ///
  /// By bisection on `cumulative`: it is asked for once a record, and so it is right to the last digits by construction.
  package static func quantile(_ p: Double) -> Double {
    precondition(p > 0 && p < 1, "a quantile is asked for of a share outside 0 … 1")
    // In the upper half 1 − p would lose digits that the lower half has.
    guard p <= 0.5 else { return -quantile(1 - p) }
    var (low, high) = (-40.0, 0.0)
    while true {
      let middle = (low + high) / 2
      if middle <= low || middle >= high { return high }
      if cumulative(middle) < p { low = middle } else { high = middle }
    }
  }

  /// How many standard errors to either side hold the middle 95 %: 1.959964.
  package static let z95 = quantile(0.975)
}
