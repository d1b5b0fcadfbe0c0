/// Limits of numbers that come from files.
package enum Limits {
  /// The largest number in the format's JSON, and the maximum size in bytes of all tensors of a checkpoint: 2⁵³ − 1. A
  /// thousand such numbers can be added without overflow.
  package static let number = 1 << 53 - 1
}

extension Sequence<Int> {
  /// The sum of non-negative lengths; nil above `Limits.number`.
  package func sumWithinLimits() -> Int? {
    var sum = 0
    for length in self {
      guard (0...Limits.number - sum).contains(length) else { return nil }
      sum += length
    }
    return sum
  }
}

extension [Int] {
  /// The product of non-negative numbers; nil above `Limits.number`.
  package func productWithinLimits() -> Int? {
    var product = 1
    for factor in self {
      let (next, overflow) = product.multipliedReportingOverflow(by: factor)
      guard !overflow, (0...Limits.number).contains(next) else { return nil }
      product = next
    }
    return product
  }
}
