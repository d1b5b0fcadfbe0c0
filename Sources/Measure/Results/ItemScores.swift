import Glibc

/// What a model got for each item of a task.
package struct ItemScores: Equatable, Sendable {
  /// In the items' order, at least one.
  package let values: [Double]
  /// What each counts in the mean, above zero; nil where all count the same.
  package let weights: [Double]?
  /// The task's value is the exponential of the mean: a perplexity of losses, in nats, of documents of unlike lengths.
  package let isExponential: Bool

  package init(_ values: [Double], weights: [Double]? = nil, unit: MeasurementUnit) {
    self.values = values
    self.weights = weights
    isExponential = weights != nil && unit == .perplexity
  }

  /// What they come to, in the task's unit.
  package var value: Double {
    guard let weights else { return values.mean }
    let mean = values.mean(weights: weights)
    return isExponential ? exp(mean) : mean
  }

  var areBinary: Bool { weights == nil && values.allSatisfy { $0 == 0 || $0 == 1 } }

  /// Whether they come to this value, but for the rounding of one that was written with six digits.
  func average(to other: Double) -> Bool { !values.isEmpty && abs(value - other) <= 1e-6 * max(1, abs(other)) }
}

extension [Double] {
  /// Of at least one.
  var mean: Double { reduce(0, +) / Double(count) }

  /// - Parameter weights: one each.
  func mean(weights: [Double]) -> Double {
    zip(self, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
  }
}
