import Base
import Glibc

/// A linear axis whose ends and ticks are round numbers.
struct Axis: Equatable {
  package let low: Double
  package let high: Double
  /// The distance between two ticks.
  package let step: Double

  /// - Parameters:
  ///   - values: the values to cover. Extreme ones are clamped, since files may hold any number.
  ///   - count: the approximate number of ticks.
  ///   - fromZero: whether the axis includes zero.
  init(covering values: [Double], ticks count: Int = 4, fromZero: Bool = true) {
    let values = values.map { min(max($0, -Self.largest), Self.largest) }.filter(\.isFinite)
    var (least, most) = (values.min() ?? 0, values.max() ?? 1)
    func isPoint() -> Bool { most - least <= max(1e-9 * max(abs(least), abs(most)), 1e-30) }
    if fromZero || isPoint() { (least, most) = (min(least, 0), max(most, 0)) }
    if isPoint() { (least, most) = (0, 1) }
    let rough = (most - least) / Double(count)
    let power = pow(10, log10(rough).rounded(.down))
    step = ([1, 2, 5].first { $0 * power >= rough * 0.75 } ?? 10) * power
    // Rounding must not add a step for a value that is a tick.
    low = (least / step + 1e-9).rounded(.down) * step
    high = (most / step - 1e-9).rounded(.up) * step
  }

  private static let largest = 1e30

  var ticks: [Double] {
    (0...Int(((high - low) / step).rounded())).map { i in
      let tick = low + Double(i) * step
      return abs(tick) < step * 1e-6 ? 0 : tick
    }
  }

  /// From 0 at the low end to 1 at the high one.
  package func position(_ value: Double) -> Double { min(max((value - low) / (high - low), 0), 1) }

  /// A position on a horizontal axis: "12.50%".
  package func percent(_ value: Double) -> String { Format.fixed(100 * position(value), 2) + "%" }

  /// "0", "0.25", "1,500", "2e-5"
  package func label(_ tick: Double, sign: Bool = false) -> String {
    if tick == 0 { return "0" }
    if step < 1e-4 || abs(tick) >= 1e15 {
      let parts = Format.significant(tick, 2).split(separator: "e")
      let digits = parts[0].hasSuffix(".0") ? String(parts[0].dropLast(2)) : String(parts[0])
      return ([digits] + parts.dropFirst().map(String.init)).joined(separator: "e")
    }
    let decimals = max(0, Int(-log10(step * 1.000001).rounded(.down)))
    if decimals == 0 {
      return (sign && tick > 0 ? "+" : "") + Format.grouped(Int(tick.rounded()))
    }
    return sign ? Format.signed(tick, decimals) : Format.fixed(tick, decimals)
  }
}
