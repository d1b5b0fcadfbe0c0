extension ForgettingSummary {
  /// What a sum of patches is likely to teach and cost, if nobody measured it (docs/measurements.md, "Stacks").
  ///
  /// A rule of thumb: a change is taken to grow with the scale, losses to add up, and no member to disturb what another
  /// has learned. So forgetting is Σ |scale| · forgetting, learning the mean of scale · learning over the members that
  /// have one, and the intervals' half widths are added up, as if all were wrong in the same direction. A member that is
  /// unmeasured leaves the whole unmeasured.
  package static func predicted(members: [(scale: Double, summary: ForgettingSummary)]) -> ForgettingSummary {
    let members = members.filter { $0.scale != 0 }
    guard !members.isEmpty, members.allSatisfy({ $0.summary.status != .unmeasured }) else { return .unmeasured }
    let learned = members.filter { $0.summary.learning != nil }
    let learning = sum(learned.map { ($0.scale / Double(learned.count), $0.summary.learning!) })
    // Where one member was not looked at for what it forgets, the sum is not known either.
    let lost = members.compactMap { member in member.summary.forgetting.map { (abs(member.scale), $0) } }
    return ForgettingSummary(
      status: .predicted, learning: learning, forgetting: lost.count == members.count ? sum(lost) : nil,
      learningItems: learned.reduce(0) { $0 + $1.summary.learningItems },
      forgettingItems: members.map(\.summary.forgettingItems).min() ?? 0)
  }

  /// This, and a prediction's numbers where this has none.
  package func completed(by predicted: ForgettingSummary) -> ForgettingSummary {
    let (learns, loses) = (learning == nil, forgetting == nil)
    let known = Known(
      learning: learns ? predicted.known.learning : known.learning,
      forgetting: loses ? predicted.known.forgetting : known.forgetting, drift: known.drift)
    let means = [known.learning, known.forgetting].filter { $0 != .unmeasured }
    return ForgettingSummary(
      status: means.max() ?? .unmeasured, known: known, learning: learning ?? predicted.learning,
      forgetting: forgetting ?? predicted.forgetting,
      learningItems: learns ? predicted.learningItems : learningItems,
      forgettingItems: loses ? predicted.forgettingItems : forgettingItems, drift: drift)
  }

  private static func sum(_ terms: [(factor: Double, estimate: Estimate)]) -> Estimate? {
    guard !terms.isEmpty else { return nil }
    let value = terms.reduce(0) { $0 + $1.factor * $1.estimate.value }
    let half = terms.reduce(0) { $0 + abs($1.factor) * $1.estimate.halfWidth }
    return Estimate(value, low: value - half, high: value + half)
  }
}
