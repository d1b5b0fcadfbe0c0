/// How far a number is known.
package enum MeasurementStatus: String, Sendable, CaseIterable, Comparable {
  /// Measured on exactly these weights, by hash.
  case measured
  /// From a results file, for a model that was not hashed.
  case reported
  /// Computed from the members of a stack.
  case predicted
  /// No value.
  case unmeasured

  /// The weaker status is the greater.
  package static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// The unit of a metric.
package struct MeasurementUnit: RawRepresentable, Hashable, Sendable {
  package let rawValue: String
  package init(rawValue: String) { self.rawValue = rawValue }

  /// Share of right items (or the mean of item scores from 0 to 1): shown in percent, changes in percentage points.
  /// Only shares count in learning and forgetting.
  package static let share = MeasurementUnit(rawValue: "share")
  /// Probability mass from 0 to 1 that is not a share of right answers, such as that of number tokens.
  package static let probability = MeasurementUnit(rawValue: "probability")
  /// Natural logarithms: a KL divergence, or a loss per token.
  package static let nats = MeasurementUnit(rawValue: "nats")
  package static let bits = MeasurementUnit(rawValue: "bits")
  package static let perplexity = MeasurementUnit(rawValue: "perplexity")
  /// Points on a task-specific scale.
  package static let score = MeasurementUnit(rawValue: "score")

  package var isWithinOne: Bool { self == .share || self == .probability }
}
