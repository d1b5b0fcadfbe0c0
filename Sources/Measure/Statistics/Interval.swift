import Glibc

/// The values that a measurement is consistent with, at a level of 95 %.
public struct Interval: Equatable, Sendable {
  public enum Method: String, Sendable, CaseIterable {
    /// Wilson's score interval of one proportion.
    case wilson
    /// Newcombe's hybrid score interval of a difference of independent proportions.
    case newcombe
    /// Bonett and Price's interval of a difference of paired proportions.
    case bonettPrice = "bonett-price"
    /// From the scores' differences, item by item.
    case pairedDifferences = "paired-differences"
    /// From two standard errors that the evaluator gives.
    case standardErrors = "standard-errors"
  }

  public let low: Double
  public let high: Double
  public let method: Method

  public static let level = 0.95

  public init(low: Double, high: Double, _ method: Method) {
    self.low = low
    self.high = high
    self.method = method
  }
}

/// A count of hits among trials.
public struct Proportion: Equatable, Sendable {
  public let hits: Double
  public let trials: Double

  public init(_ hits: Int, of trials: Int) {
    precondition(trials > 0 && (0...trials).contains(hits), "a proportion of \(hits) in \(trials)")
    self.hits = Double(hits)
    self.trials = Double(trials)
  }

  public var value: Double { hits / trials }

  /// Wilson's score interval.
  ///
  /// E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209; R. G. Newcombe, Stat. Med. 17 (1998) 857, method 3.
  public var wilson: Interval {
    let z2 = Normal.z95 * Normal.z95
    let center = hits + z2 / 2
    let half = Normal.z95 * (hits * (1 - value) + z2 / 4).squareRoot()
    // At none and at all, rounding must not lead past the ends.
    return Interval(
      low: hits == 0 ? 0 : (center - half) / (trials + z2),
      high: hits == trials ? 1 : (center + half) / (trials + z2), .wilson)
  }
}

/// Intervals of a change from before to after.
public enum ChangeInterval {
  /// Newcombe's hybrid score interval of `after` − `before`, for proportions of independent items.
  ///
  /// R. G. Newcombe, Stat. Med. 17 (1998) 873, method 10. On the same items, of which both get the same right, it is
  /// wider than need be and never too narrow.
  public static func newcombe(before: Proportion, after: Proportion) -> Interval {
    let (a, b) = (after.wilson, before.wilson)
    let change = after.value - before.value
    return Interval(
      low: change - hypot(after.value - a.low, b.high - before.value),
      high: change + hypot(a.high - after.value, before.value - b.low), .newcombe)
  }

  /// Bonett and Price's interval of a change on the same `items`, of which `won` are right after and not before, and
  /// `lost` the other way.
  ///
  /// D. G. Bonett, R. M. Price, J. Educ. Behav. Stat. 37 (2012) 479: Wald's with one added to both counts.
  public static func bonettPrice(lost: Int, won: Int, items: Int) -> Interval {
    precondition(lost >= 0 && won >= 0 && lost + won <= items && items > 0, "flips of more items than there are")
    let n = Double(items) + 2
    let (p, q) = ((Double(won) + 1) / n, (Double(lost) + 1) / n)
    let half = Normal.z95 * ((p + q - (p - q) * (p - q)) / n).squareRoot()
    return Interval(low: max(p - q - half, -1), high: min(p - q + half, 1), .bonettPrice)
  }

  /// The mean of differences item by item, plus and minus z standard errors (sample variance, n − 1).
  /// - Parameter differences: at least two.
  public static func paired(_ differences: [Double]) -> Interval {
    precondition(differences.count >= 2, "a variance of fewer than two")
    let n = Double(differences.count)
    let mean = differences.reduce(0, +) / n
    let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
    let half = Normal.z95 * (variance / n).squareRoot()
    return Interval(low: mean - half, high: mean + half, .pairedDifferences)
  }

  /// From the standard errors of two independent measurements, whose variances add up.
  public static func standardErrors(before: Double, _ error: Double, after: Double, _ other: Double) -> Interval {
    let half = Normal.z95 * hypot(error, other)
    return Interval(low: after - before - half, high: after - before + half, .standardErrors)
  }
}
