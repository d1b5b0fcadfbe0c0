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
  /// L2 norms of all gradients before clipping, means like those of the losses; empty if not recorded.
  package let gradientNorms: [Double]

  /// As many points as a page can show.
  package static let mostPoints = 300

  package init(steps: [Int], losses: [Double], rates: [Double], gradientNorms: [Double] = []) {
    precondition(steps.count == losses.count && steps.count == rates.count, "the lists of a curve differ in length")
    precondition([0, steps.count].contains(gradientNorms.count), "the lists of a curve differ in length")
    self.steps = steps
    self.losses = losses
    self.rates = rates
    self.gradientNorms = gradientNorms
  }

  package var count: Int { steps.count }

  /// The same curve with at most `count` points, merging neighbours. The last point keeps its step.
  package func thinned(to count: Int = mostPoints) -> TrainingCurve {
    guard self.count > count, count > 0 else { return self }
    var (steps, losses, rates, norms): ([Int], [Double], [Double], [Double]) = ([], [], [], [])
    var taken = 0
    for point in 1...count {
      let end = self.count * point / count
      var (sum, norm, weight) = (0.0, 0.0, 0.0)
      for i in taken..<end {
        let covered = Double(self.steps[i] - (i == 0 ? 0 : self.steps[i - 1]))
        sum += covered * self.losses[i]
        norm += covered * (gradientNorms.isEmpty ? 0 : gradientNorms[i])
        weight += covered
      }
      steps.append(self.steps[end - 1])
      losses.append(sum / weight)
      rates.append(self.rates[end - 1])
      if !gradientNorms.isEmpty { norms.append(norm / weight) }
      taken = end
    }
    return TrainingCurve(steps: steps, losses: losses, rates: rates, gradientNorms: norms)
  }
}

/// The loss on rows that were not trained on, after some of the steps.
package struct ValidationCurve: Equatable, Sendable {
  package struct Point: Equatable, Sendable {
    package let step: Int
    /// Mean over the answer tokens, in nats.
    package let loss: Double

    package init(step: Int, loss: Double) {
      self.step = step
      self.loss = loss
    }
  }

  /// In ascending order of steps; step 0 is the base.
  package let points: [Point]
  /// Number of rows.
  package let rows: Int

  package init(_ points: [Point], rows: Int) {
    self.points = points
    self.rows = rows
  }

  /// The first point with the lowest loss.
  package var lowest: Point? { points.min { $0.loss < $1.loss } }
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
