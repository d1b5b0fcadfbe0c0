import PatchFormat

/// How much of a number is known.
public enum MeasurementStatus: String, Sendable, CaseIterable {
  /// On exactly these bits, by hash.
  case measured
  /// Said by a results file of which no model was hashed.
  case reported
  /// Computed from the members of a stack.
  case predicted
  /// Nobody looked.
  case unmeasured
}

/// A number with the interval that holds it with 95 % confidence.
public struct Estimate: Equatable, Sendable {
  public let value: Double
  public let low: Double
  public let high: Double

  public init(_ value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }
}

/// What a patch or a stack taught and cost, in percentage points against its base: the mean over the records of a role.
public struct ForgettingSummary: Equatable, Sendable {
  public let status: MeasurementStatus
  /// Mean change on the target tasks: above zero is learned.
  public let learning: Estimate?
  /// Mean loss on the held-out tasks: above zero is forgotten.
  public let forgetting: Estimate?
  /// Items behind `learning`.
  public let learningItems: Int
  /// Items behind `forgetting`.
  public let forgettingItems: Int
  /// KL(base ‖ model) per token on neutral text, in nats.
  public let drift: Double?

  public init(
    status: MeasurementStatus, learning: Estimate? = nil, forgetting: Estimate? = nil, learningItems: Int = 0,
    forgettingItems: Int = 0, drift: Double? = nil
  ) {
    self.status = status
    self.learning = learning
    self.forgetting = forgetting
    self.learningItems = learningItems
    self.forgettingItems = forgettingItems
    self.drift = drift
  }

  public static let unmeasured = ForgettingSummary(status: .unmeasured)
}
