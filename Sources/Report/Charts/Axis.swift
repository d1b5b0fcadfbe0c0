import Glibc
import PatchFormat

/// A linear axis whose ends and ticks are round numbers.
struct Axis: Equatable {
  let low: Double
  let high: Double
  /// Between two ticks.
  let step: Double

  /// - Parameters:
  ///   - values: finite; all of them lie on the axis, and zero too unless they are far from it.
  ///   - count: about how many ticks there are to be.
  init(covering values: [Double], ticks count: Int = 4, fromZero: Bool = true) {
    var (least, most) = (values.min() ?? 0, values.max() ?? 1)
    if fromZero { (least, most) = (min(least, 0), max(most, 0)) }
    if least == most { (least, most) = least == 0 ? (0, 1) : (min(least, 0), max(most, 0)) }
    let rough = (most - least) / Double(count)
    let power = pow(10, log10(rough).rounded(.down))
    step = ([1, 2, 5].first { $0 * power >= rough * 0.75 } ?? 10) * power
    // Rounding must not add a step for a value that is a tick.
    low = (least / step + 1e-9).rounded(.down) * step
    high = (most / step - 1e-9).rounded(.up) * step
  }

  var ticks: [Double] {
    (0...Int(((high - low) / step).rounded())).map { i in
      let tick = low + Double(i) * step
      return abs(tick) < step * 1e-6 ? 0 : tick
    }
  }

  /// From 0 at the low end to 1 at the high one.
  func position(_ value: Double) -> Double { min(max((value - low) / (high - low), 0), 1) }

  /// A place on a horizontal axis: "12.50%".
  func percent(_ value: Double) -> String { Format.fixed(100 * position(value), 2) + "%" }

  /// "0", "0.25", "1,500", "2e-5"
  func label(_ tick: Double, sign: Bool = false) -> String {
    if tick == 0 { return "0" }
    if abs(step) < 1e-4 {
      let parts = Format.significant(tick, 2).split(separator: "e")
      let digits = parts[0].hasSuffix(".0") ? String(parts[0].dropLast(2)) : String(parts[0])
      return ([digits] + parts.dropFirst().map(String.init)).joined(separator: "e")
    }
    let decimals = max(0, Int(-log10(step * 1.000001).rounded(.down)))
    if decimals == 0, abs(tick) < 1e15 {
      return (sign && tick > 0 ? "+" : "") + Format.grouped(Int(tick.rounded()))
    }
    return sign ? Format.signed(tick, decimals) : Format.fixed(tick, decimals)
  }
}
