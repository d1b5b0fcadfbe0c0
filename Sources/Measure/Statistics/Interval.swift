import Glibc

/// A 95 % confidence interval.
package struct Interval: Equatable, Sendable {
  package enum Method: String, Sendable, CaseIterable {
    /// Wilson's score interval of one proportion.
    case wilson
    /// Newcombe's hybrid score interval of a difference of independent proportions.
    case newcombe
    /// Bonett and Price's interval of a difference of paired proportions.
    case bonettPrice = "bonett-price"
    /// From the differences of scores, item by item.
    case pairedDifferences = "paired-differences"
    /// The same for items of different weights, such as documents of different lengths.
    case weightedDifferences = "weighted-differences"
    /// From the evaluator's two standard errors.
    case standardErrors = "standard-errors"
  }

  package let low: Double
  package let high: Double
  package let method: Method

  package static let level = 0.95

  package init(low: Double, high: Double, _ method: Method) {
    self.low = low
    self.high = high
    self.method = method
  }
}

/// A count of hits among trials.
package struct Proportion: Equatable, Sendable {
  package let hits: Double
  package let trials: Double

  package init(_ hits: Int, of trials: Int) {
    precondition(trials > 0 && (0...trials).contains(hits), "a proportion of \(hits) in \(trials)")
    self.hits = Double(hits)
    self.trials = Double(trials)
  }

  package var value: Double { hits / trials }

  /// Wilson's score interval.
  ///
  /// E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209; R. G. Newcombe, Stat. Med. 17 (1998) 857, method 3.
  package var wilson: Interval {
    let z2 = Normal.z95 * Normal.z95
    let center = hits + z2 / 2
    let half = Normal.z95 * (hits * (1 - value) + z2 / 4).squareRoot()
    // With zero hits, or all, rounding must not lead past 0 or 1.
    return Interval(
      low: hits == 0 ? 0 : (center - half) / (trials + z2),
      high: hits == trials ? 1 : (center + half) / (trials + z2), .wilson)
  }
}

/// Intervals of a change from before to after.
package enum ChangeInterval {
  /// Newcombe's hybrid score interval of `after` − `before`, for proportions of independent items.
  ///
  /// R. G. Newcombe, Stat. Med. 17 (1998) 873, method 10. If the items are the same and results are positively
  /// correlated, it is wider than necessary, never too narrow.
  package static func newcombe(before: Proportion, after: Proportion) -> Interval {
    let (a, b) = (after.wilson, before.wilson)
    let change = after.value - before.value
    return Interval(
      low: change - hypot(after.value - a.low, b.high - before.value),
      high: change + hypot(a.high - after.value, before.value - b.low), .newcombe)
  }

  /// Bonett and Price's interval of a change on the same `items`, of which `won` are right only after, and `lost` only
  /// before.
  ///
  /// D. G. Bonett, R. M. Price, J. Educ. Behav. Stat. 37 (2012) 479: Wald's interval with one added to both counts.
  package static func bonettPrice(lost: Int, won: Int, items: Int) -> Interval {
    precondition(lost >= 0 && won >= 0 && lost + won <= items && items > 0, "more flips than items")
    let n = Double(items) + 2
    let (p, q) = ((Double(won) + 1) / n, (Double(lost) + 1) / n)
    let half = Normal.z95 * ((p + q - (p - q) * (p - q)) / n).squareRoot()
    return Interval(low: max(p - q - half, -1), high: min(p - q + half, 1), .bonettPrice)
  }

  /// The mean of item differences, ± t standard errors (sample variance, n − 1 degrees of freedom).
  /// - Parameter differences: at least two.
  package static func paired(_ differences: [Double]) -> Interval {
    let half = halfWidth(differences.map { ($0, 1) })
    let mean = differences.reduce(0, +) / Double(differences.count)
    return Interval(low: mean - half, high: mean + half, .pairedDifferences)
  }

  /// Change of a weighted mean: a ratio of two sums over the items, linearised (W. G. Cochran, Sampling Techniques, 3rd
  /// ed. 1977, section 6.4), with Student's t.
  /// - Parameters:
  ///   - before, after: scores of the items, at least two.
  ///   - weights: of the items, above zero.
  ///   - isExponential: the values are exponentials of the means, such as perplexities; the interval is of the change
  ///     of these (delta method).
  package static func weighted(before: [Double], after: [Double], weights: [Double], isExponential: Bool) -> Interval {
    precondition(before.count == weights.count && after.count == weights.count, "one score and weight per item")
    let (old, new) = (before.mean(weights: weights), after.mean(weights: weights))
    let (oldValue, newValue) = isExponential ? (exp(old), exp(new)) : (old, new)
    let (oldSlope, newSlope) = isExponential ? (oldValue, newValue) : (1, 1)
    let change = newValue - oldValue
    let half = halfWidth(
      weights.indices.map { (newSlope * (after[$0] - new) - oldSlope * (before[$0] - old), weights[$0]) })
    return Interval(low: change - half, high: change + half, .weightedDifferences)
  }

  /// t times the standard error of the weighted mean of these values.
  private static func halfWidth(_ items: [(value: Double, weight: Double)]) -> Double {
    precondition(items.count >= 2, "a variance needs at least two values")
    let n = Double(items.count)
    let total = items.reduce(0) { $0 + $1.weight }
    let mean = items.reduce(0) { $0 + $1.value * $1.weight } / total
    let squares = items.reduce(0) { sum, item in
      let term = item.weight * (item.value - mean)
      return sum + term * term
    }
    return Student.t95(degrees: items.count - 1) * (squares * n / (n - 1)).squareRoot() / total
  }

  /// From the standard errors of two independent measurements, whose variances add up.
  package static func standardErrors(before: Double, _ error: Double, after: Double, _ other: Double) -> Interval {
    let half = Normal.z95 * hypot(error, other)
    return Interval(low: after - before - half, high: after - before + half, .standardErrors)
  }
}
