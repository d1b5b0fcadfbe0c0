import Glibc

/// Maps values to positions between 0 and 1. Both ends are round numbers.
package struct ColorScale {
  package let low: Double
  package let high: Double
  package let isLogarithmic: Bool
  /// Whether its ticks are whole numbers.
  private let isWhole: Bool

  /// Equal ratios get equal steps. It spans at least a factor of five, so that small differences do not look large, and
  /// at most four powers of ten.
  package static func logarithmic(_ values: [Double]) -> ColorScale {
    guard let least = values.min(), let most = values.max() else { return ColorScale(0.1, 1, true) }
    let high = roundedUp(most)
    return ColorScale(max(min(roundedDown(least), roundedDown(high / 5)), high / 10_000), high, true)
  }

  /// Starts at zero.
  package static func linear(_ values: [Double]) -> ColorScale { ColorScale(0, roundedUp(values.max() ?? 1), false) }

  /// Whole numbers up to the greatest, each with its own colour if there are enough.
  package static func counts(upTo most: Int) -> ColorScale { ColorScale(0, Double(max(most, 1)), false, isWhole: true) }

  private init(_ low: Double, _ high: Double, _ isLogarithmic: Bool, isWhole: Bool = false) {
    self.low = low
    self.high = high
    self.isLogarithmic = isLogarithmic
    self.isWhole = isWhole
  }

  package func position(_ value: Double) -> Double {
    let position = isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
    return min(max(position, 0), 1)
  }

  /// The index of one of `count` equal steps.
  package func step(_ value: Double, of count: Int) -> Int { min(Int(position(value) * Double(count)), count - 1) }

  /// Round numbers from end to end, few enough for a legend.
  package var ticks: [Double] {
    if isWhole { return Array(stride(from: 0, through: high, by: max((high / 8).rounded(.up), 1))) }
    guard isLogarithmic else { return (0...4).map { high * Double($0) / 4 } }
    var ticks: [Double] = []
    var tick = low
    while tick <= high * 1.000001 {
      ticks.append(tick)
      tick = Self.roundedUp(tick * 1.5)
    }
    // 1, 2, 5 within two powers of ten; else only the powers and the ends.
    guard ticks.count > 7 else { return ticks }
    return ticks.filter { tick in
      let isEnd = tick == ticks.first || tick == ticks.last
      let isPower = abs(log10(tick) - log10(tick).rounded()) < 1e-9
      let isFree = tick / low > 2.5 && high / tick > 2.5
      return isEnd || (isPower && isFree)
    }
  }

  /// The next of 1, 2, 5 × 10ⁿ, up or down.
  package static func roundedUp(_ value: Double) -> Double {
    let power = pow(10, (log10(value)).rounded(.down))
    return ([1, 2, 5, 10].first { $0 * power >= value * 0.999999 } ?? 10) * power
  }

  package static func roundedDown(_ value: Double) -> Double {
    let power = pow(10, (log10(value)).rounded(.down))
    return ([5, 2, 1].first { $0 * power <= value * 1.000001 } ?? 1) * power
  }
}
