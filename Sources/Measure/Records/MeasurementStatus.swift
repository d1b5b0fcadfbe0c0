/// How much of a number is known.
public enum MeasurementStatus: String, Sendable, CaseIterable, Comparable {
  /// On exactly these bits, by hash.
  case measured
  /// Said by a results file of which no model was hashed.
  case reported
  /// Computed from the members of a stack.
  case predicted
  /// Nobody looked.
  case unmeasured

  /// The weaker is the greater.
  public static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// What a metric is counted in.
public struct MeasurementUnit: RawRepresentable, Hashable, Sendable {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// A share of items that are right (or a score of an item from 0 to 1, averaged): shown in percent, changes in
  /// percentage points. Only these enter learning and forgetting.
  public static let share = MeasurementUnit(rawValue: "share")
  /// A probability mass from 0 to 1 that is no share of right answers, such as that on number tokens.
  public static let probability = MeasurementUnit(rawValue: "probability")
  /// Natural logarithms: a KL divergence, a loss per token.
  public static let nats = MeasurementUnit(rawValue: "nats")
  public static let bits = MeasurementUnit(rawValue: "bits")
  public static let perplexity = MeasurementUnit(rawValue: "perplexity")
  /// Points on a scale of the task's own.
  public static let score = MeasurementUnit(rawValue: "score")

  public var isWithinOne: Bool { self == .share || self == .probability }
}
