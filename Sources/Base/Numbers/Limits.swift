/// Bounds of numbers that come from files.
package enum Limits {
  /// The largest number in the format's JSON, and the most bytes that the tensors of a checkpoint may have together:
  /// 2⁵³ − 1. A thousand such sums can still be added up without overflow.
  package static let number = 1 << 53 - 1
}

extension Sequence<Int> {
  /// The sum of lengths, none of them negative; nil above `Limits.number`.
  package func sumWithinLimits() -> Int? {
    var sum = 0
    for length in self {
      guard (0...Limits.number - sum).contains(length) else { return nil }
      sum += length
    }
    return sum
  }
}
