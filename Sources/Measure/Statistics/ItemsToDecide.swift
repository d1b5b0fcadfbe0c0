/// How many items a question needs.
package enum ItemsToDecide {
  /// Items for which the interval would end where the limit is, if the rates stay as they were observed: every interval
  /// here becomes narrower with the root of the number of items.
  /// - Parameters:
  ///   - items: behind the interval at hand.
  ///   - halfWidth: from the value to the interval's end on the limit's side.
  ///   - distance: from the value to the limit; nil is returned for 0, since no number of items decides that.
  package static func count(items: Int, halfWidth: Double, distance: Double) -> Int? {
    guard distance != 0 else { return nil }
    let ratio = halfWidth / distance
    let needed = (Double(items) * ratio * ratio).rounded(.up)
    // Beyond this it is no answer that anyone could use.
    return needed < 1e15 ? max(items, Int(needed)) : nil
  }
}
