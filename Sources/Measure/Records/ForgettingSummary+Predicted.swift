extension ForgettingSummary {
  /// Prediction for an unmeasured stack of patches (docs/measurements.md, "Stacks").
  ///
  /// A heuristic: changes are assumed to grow with the scale, losses to add up, and members not to disturb each other.
  /// So forgetting is Σ |scale| · forgetting, and learning is the mean of scale · learning over the members that have
  /// one. The intervals' half widths are added, as if all errors had the same sign. One unmeasured member makes the
  /// whole unmeasured.
  package static func predicted(members: [(scale: Double, summary: ForgettingSummary)]) -> ForgettingSummary {
    let members = members.filter { $0.scale != 0 }
    guard !members.isEmpty, members.allSatisfy({ $0.summary.status != .unmeasured }) else { return .unmeasured }
    let learned = members.filter { $0.summary.learning != nil }
    let learning = sum(learned.map { ($0.scale / Double(learned.count), $0.summary.learning!) })
    // If the forgetting of one member is unknown, so is the sum.
    let lost = members.compactMap { member in member.summary.forgetting.map { (abs(member.scale), $0) } }
    return ForgettingSummary(
      status: .predicted, learning: learning, forgetting: lost.count == members.count ? sum(lost) : nil,
      learningItems: learned.reduce(0) { $0 + $1.summary.learningItems },
      forgettingItems: members.map(\.summary.forgettingItems).min() ?? 0)
  }

  /// This summary, with the prediction's numbers where it has none.
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
