/// How much of a number is known.
package enum MeasurementStatus: String, Sendable, CaseIterable, Comparable {
  /// On exactly these bits, by hash.
  case measured
  /// Said by a results file of which no model was hashed.
  case reported
  /// Computed from the members of a stack.
  case predicted
  /// Nobody looked.
  case unmeasured

  /// The weaker is the greater.
  package static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// What a metric is counted in.
package struct MeasurementUnit: RawRepresentable, Hashable, Sendable {
  package let rawValue: String
  package init(rawValue: String) { self.rawValue = rawValue }

  /// A share of items that are right (or a score of an item from 0 to 1, averaged): shown in percent, changes in
  /// percentage points. Only these enter learning and forgetting.
  package static let share = MeasurementUnit(rawValue: "share")
  /// A probability mass from 0 to 1 that is no share of right answers, such as that on number tokens.
  package static let probability = MeasurementUnit(rawValue: "probability")
  /// Natural logarithms: a KL divergence, a loss per token.
  package static let nats = MeasurementUnit(rawValue: "nats")
  package static let bits = MeasurementUnit(rawValue: "bits")
  package static let perplexity = MeasurementUnit(rawValue: "perplexity")
  /// Points on a scale of the task's own.
  package static let score = MeasurementUnit(rawValue: "score")

  package var isWithinOne: Bool { self == .share || self == .probability }
}
