/// Loss and learning rate by step.
///
/// A point covers the steps after the previous point up to its own: `losses` has their mean loss, `rates` the learning
/// rate of the last.
package struct TrainingCurve: Equatable, Sendable {
  /// Ascending, from 1.
  package let steps: [Int]
  /// Mean over the answer tokens of a batch, before the step's update, in nats.
  package let losses: [Double]
  package let rates: [Double]

  /// As many points as a page can show.
  package static let mostPoints = 300

  package init(steps: [Int], losses: [Double], rates: [Double]) {
    precondition(steps.count == losses.count && steps.count == rates.count, "the lists of a curve differ in length")
    self.steps = steps
    self.losses = losses
    self.rates = rates
  }

  package var count: Int { steps.count }

  /// The same curve with at most `count` points, merging neighbours. The last point keeps its step.
  package func thinned(to count: Int = mostPoints) -> TrainingCurve {
    guard self.count > count, count > 0 else { return self }
    var (steps, losses, rates): ([Int], [Double], [Double]) = ([], [], [])
    var taken = 0
    for point in 1...count {
      let end = self.count * point / count
      var (sum, weight) = (0.0, 0.0)
      for i in taken..<end {
        let covered = Double(self.steps[i] - (i == 0 ? 0 : self.steps[i - 1]))
        sum += covered * self.losses[i]
        weight += covered
      }
      steps.append(self.steps[end - 1])
      losses.append(sum / weight)
      rates.append(self.rates[end - 1])
      taken = end
    }
    return TrainingCurve(steps: steps, losses: losses, rates: rates)
  }
}

/// KL(base ‖ model) on neutral text after some of the steps: nats per token, with 95 % intervals.
package struct DriftCurve: Equatable, Sendable {
  package struct Point: Equatable, Sendable {
    package let step: Int
    package let drift: Estimate

    package init(step: Int, drift: Estimate) {
      self.step = step
      self.drift = drift
    }
  }

  /// In ascending order of steps; step 0 is the base.
  package let points: [Point]

  package init(_ points: [Point]) { self.points = points }

  /// The same curve with at most `count` points, the first and the last included.
  package func thinned(to count: Int = TrainingCurve.mostPoints) -> DriftCurve {
    guard points.count > count, count > 1 else { return self }
    return DriftCurve((0..<count).map { points[$0 * (points.count - 1) / (count - 1)] })
  }
}
