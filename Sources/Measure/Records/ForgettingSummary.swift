import Base
import Glibc

/// A number with the interval that holds it with 95 % confidence.
package struct Estimate: Equatable, Sendable {
  package let value: Double
  package let low: Double
  package let high: Double

  package init(_ value: Double, low: Double, high: Double) {
    self.value = value
    self.low = low
    self.high = high
  }

  package static prefix func - (a: Estimate) -> Estimate { Estimate(-a.value, low: -a.high, high: -a.low) }

  /// To the farther end.
  package var halfWidth: Double { max(high - value, value - low) }

  /// The mean of independent estimates. Distances to the ends are added as variances are, each side for itself
  /// (G. Y. Zou, A. Donner, Stat. Med. 27 (2008) 1693, "MOVER").
  package static func mean(of estimates: [Estimate]) -> Estimate? {
    guard !estimates.isEmpty else { return nil }
    let count = Double(estimates.count)
    let value = estimates.reduce(0) { $0 + $1.value } / count
    let below = estimates.reduce(0) { $0 + ($1.value - $1.low) * ($1.value - $1.low) }.squareRoot() / count
    let above = estimates.reduce(0) { $0 + ($1.high - $1.value) * ($1.high - $1.value) }.squareRoot() / count
    return Estimate(value, low: value - below, high: value + above)
  }
}

/// What a patch or a stack taught and cost, in percentage points against its base: the mean over the records of a role.
package struct ForgettingSummary: Equatable, Sendable {
  /// Of what enters the two means, the least that is known.
  package let status: MeasurementStatus
  /// What is known of each number: the least among the records that it is made of, and of no others. Unmeasured where
  /// there is no number.
  package let known: Known
  /// Mean change for the better on the target tasks: above zero is learned.
  package let learning: Estimate?
  /// Mean loss on the held-out tasks: above zero is forgotten.
  package let forgetting: Estimate?
  /// Items behind `learning`.
  package let learningItems: Int
  /// Items behind `forgetting`.
  package let forgettingItems: Int
  /// KL(base ‖ model) per token on neutral text, in nats.
  package let drift: Double?

  /// How much is known of each of the numbers.
  package struct Known: Equatable, Sendable {
    package let learning: MeasurementStatus
    package let forgetting: MeasurementStatus
    package let drift: MeasurementStatus

    package init(learning: MeasurementStatus, forgetting: MeasurementStatus, drift: MeasurementStatus) {
      self.learning = learning
      self.forgetting = forgetting
      self.drift = drift
    }
  }

  /// - Parameter known: nil: of each number that is there, as much as `status` says.
  package init(
    status: MeasurementStatus, known: Known? = nil, learning: Estimate? = nil, forgetting: Estimate? = nil,
    learningItems: Int = 0, forgettingItems: Int = 0, drift: Double? = nil
  ) {
    self.status = status
    self.known = Known(
      learning: learning == nil ? .unmeasured : known?.learning ?? status,
      forgetting: forgetting == nil ? .unmeasured : known?.forgetting ?? status,
      drift: drift == nil ? .unmeasured : known?.drift ?? status)
    self.learning = learning
    self.forgetting = forgetting
    self.learningItems = learningItems
    self.forgettingItems = forgettingItems
    self.drift = drift
  }

  package static let unmeasured = ForgettingSummary(status: .unmeasured)

  /// The means over records. Only shares enter; of a KL divergence, that on held-out (neutral) text is the drift.
  package init(records: [ForgettingRecord]) {
    let targets = records.filter { $0.role == .target && $0.unit == .share }
    let heldOut = records.filter { $0.role == .heldOut && $0.unit == .share }
    let drift = records.first { $0.role == .heldOut && $0.unit == .nats && $0.metric.isSame(as: Self.klMetric) }
    func weakest(_ records: [ForgettingRecord]) -> MeasurementStatus { records.map(\.status).max() ?? .unmeasured }
    self.init(
      status: weakest(targets + heldOut),
      known: Known(learning: weakest(targets), forgetting: weakest(heldOut), drift: drift?.status ?? .unmeasured),
      learning: .mean(of: targets.compactMap(\.gain)),
      forgetting: .mean(of: heldOut.compactMap { $0.gain.map { -$0 } }),
      learningItems: targets.reduce(0) { $0 + $1.items }, forgettingItems: heldOut.reduce(0) { $0 + $1.items },
      drift: drift?.after)
  }

  /// What records call KL(base ‖ model).
  package static let klMetric = "kl"

  /// The summary of a patch, from its annotations; of records that speak of other models, and of annotations in which
  /// any record is malformed, nothing is taken.
  /// - Parameters:
  ///   - base: the patch's base root; nil takes what the records say.
  ///   - target: the patch's target root; nil takes what the records say.
  package init(annotations: JSON, base: ContentDigest? = nil, target: ContentDigest? = nil) {
    let records = (try? [ForgettingRecord](annotations: annotations, subject: "")) ?? []
    self.init(
      records: records.filter { record in
        (base == nil || record.reference == base)
          && (target == nil || record.measured == nil || record.measured == target)
      })
  }
}
