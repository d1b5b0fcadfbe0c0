import Glibc

/// A model's score for each item of a task.
package struct ItemScores: Equatable, Sendable {
  /// In the items' order, at least one.
  package let values: [Double]
  /// Weight of each item in the mean, above zero; nil: equal weights.
  package let weights: [Double]?
  /// Whether the task's value is the exponential of the mean: perplexity from losses in nats, of documents of different
  /// lengths.
  package let isExponential: Bool

  package init(_ values: [Double], weights: [Double]? = nil, unit: MeasurementUnit) {
    self.values = values
    self.weights = weights
    isExponential = weights != nil && unit == .perplexity
  }

  /// The task's value, in its unit.
  package var value: Double {
    guard let weights else { return values.mean }
    let mean = values.mean(weights: weights)
    return isExponential ? exp(mean) : mean
  }

  var areBinary: Bool { weights == nil && values.allSatisfy { $0 == 0 || $0 == 1 } }

  /// Whether the value matches, within the rounding of a number written with six digits.
  func average(to other: Double) -> Bool { !values.isEmpty && abs(value - other) <= 1e-6 * max(1, abs(other)) }
}

extension [Double] {
  /// Requires at least one element.
  var mean: Double { reduce(0, +) / Double(count) }

  /// - Parameter weights: one per element.
  func mean(weights: [Double]) -> Double {
    zip(self, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
  }
}
