import Glibc

/// Items that changed between right and wrong, which a mean can hide.
package struct Flips: Equatable, Sendable {
  /// Right before, wrong after.
  package let lost: Int
  /// Wrong before, right after.
  package let won: Int

  package init(lost: Int, won: Int) {
    self.lost = lost
    self.won = won
  }

  /// McNemar's exact test, two-sided: the probability of flips at least this one-sided if both directions are equally
  /// likely.
  ///
  /// Q. McNemar, Psychometrika 12 (1947) 153, with the exact binomial distribution instead of its approximation: min(1,
  /// 2 · P(X ≤ min(lost, won))), X of lost + won tosses.
  package var pValue: Double {
    let (n, fewer) = (lost + won, min(lost, won))
    guard n > 0, lost != won else { return 1 }
    // Start with the largest term; each next follows from C(n, k − 1) = C(n, k) · k / (n − k + 1).
    var term = exp(Self.logFactorial(n) - Self.logFactorial(fewer) - Self.logFactorial(n - fewer) - Double(n) * log(2))
    var sum = term
    var k = fewer
    while k > 0, term > sum * 1e-18 {
      term *= Double(k) / Double(n - k + 1)
      sum += term
      k -= 1
    }
    return min(1, 2 * sum)
  }

  private static func logFactorial(_ n: Int) -> Double {
    var sign: CInt = 0
    return lgamma_r(Double(n) + 1, &sign)
  }
}
