/// Number of items needed to decide a check.
package enum ItemsToDecide {
  /// Number of items for which the interval would end at the limit if the observed rates stay the same: every interval
  /// here shrinks with the square root of the number of items.
  /// - Parameters:
  ///   - items: number behind the present interval.
  ///   - halfWidth: from the value to the interval's end on the limit's side.
  ///   - distance: from the value to the limit; nil is returned for 0, which no number of items decides.
  package static func count(items: Int, halfWidth: Double, distance: Double) -> Int? {
    guard distance != 0 else { return nil }
    let ratio = halfWidth / distance
    let needed = (Double(items) * ratio * ratio).rounded(.up)
    // A larger number would be of no use.
    return needed < 1e15 ? max(items, Int(needed)) : nil
  }
}
