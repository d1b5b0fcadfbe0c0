import Base
import Glibc

/// A number with its 95 % confidence interval.
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

  /// Distance to the farther end.
  package var halfWidth: Double { max(high - value, value - low) }

  /// The mean of independent estimates. Distances to the ends are added like standard deviations (in squares), each
  /// side separately (G. Y. Zou, A. Donner, Stat. Med. 27 (2008) 1693, "MOVER").
  package static func mean(of estimates: [Estimate]) -> Estimate? {
    guard !estimates.isEmpty else { return nil }
    let count = Double(estimates.count)
    let value = estimates.reduce(0) { $0 + $1.value } / count
    let below = estimates.reduce(0) { $0 + ($1.value - $1.low) * ($1.value - $1.low) }.squareRoot() / count
    let above = estimates.reduce(0) { $0 + ($1.high - $1.value) * ($1.high - $1.value) }.squareRoot() / count
    return Estimate(value, low: value - below, high: value + above)
  }
}

/// Learning and forgetting of a patch or a stack against its base, in percentage points: means over the records of a
/// role.
package struct ForgettingSummary: Equatable, Sendable {
  /// The weakest status of the records in the two means.
  package let status: MeasurementStatus
  /// The status of each number: the weakest among the records it is computed from. Unmeasured if there is no number.
  package let known: Known
  /// Mean improvement on the target tasks; positive means learned.
  package let learning: Estimate?
  /// Mean loss on the held-out tasks; positive means forgotten.
  package let forgetting: Estimate?
  /// Number of items behind `learning`.
  package let learningItems: Int
  /// Number of items behind `forgetting`.
  package let forgettingItems: Int
  /// KL(base ‖ model) per token on neutral text, in nats.
  package let drift: Double?

  /// The status of each number.
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

  /// - Parameter known: nil: the status of each number that exists is `status`.
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

  /// Means over records. Only shares count; a KL divergence on held-out (neutral) text is the drift.
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

  /// Name of KL(base ‖ model) in records.
  package static let klMetric = "kl"

  /// The summary from a patch's annotations. Records of other models do not count; if any record is malformed, none
  /// counts.
  /// - Parameters:
  ///   - base: the patch's base root; nil: as in the records.
  ///   - target: the patch's target root; nil: as in the records.
  package init(annotations: JSON, base: ContentDigest? = nil, target: ContentDigest? = nil) {
    let records = (try? [ForgettingRecord](annotations: annotations, subject: "")) ?? []
    self.init(
      records: records.filter { record in
        (base == nil || record.reference == base)
          && (target == nil || record.measured == nil || record.measured == target)
      })
  }
}
