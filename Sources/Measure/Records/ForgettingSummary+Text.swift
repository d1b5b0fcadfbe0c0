import Base

extension ForgettingSummary {
  /// "0.6 ± 0.4 pp (n 2,400)", "reported 0.6 ± 0.4 pp (n 2,400)", "predicted …", "unmeasured".
  package var forgettingText: String { text(forgetting, known.forgetting, forgettingItems) }

  /// The same for learning: "+24.9 ± 1.2 pp (n 1,000)".
  package var learningText: String { text(learning, known.learning, learningItems, sign: true) }

  /// "KL 0.0114 nats from the base", "reported KL …"; nil if unknown.
  package var driftText: String? {
    drift.map { "\(known.drift.prefix)KL \(Format.plain($0)) nats from the base" }
  }

  private func text(_ estimate: Estimate?, _ status: MeasurementStatus, _ items: Int, sign: Bool = false) -> String {
    guard let estimate, status != .unmeasured else { return MeasurementStatus.unmeasured.rawValue }
    return "\(status.prefix)\(estimate.text(sign: sign)) pp (n \(Format.grouped(items)))"
  }

  package var json: JSON {
    .dictionary([
      "status": .string(status.rawValue), "learning": learning.map { $0.json(items: learningItems) },
      "forgetting": forgetting.map { $0.json(items: forgettingItems) }, "drift": drift.map { JSON($0) },
      "known": known.json,
    ])
  }
}

extension ForgettingSummary.Known {
  package var json: JSON {
    .dictionary([
      "learning": .string(learning.rawValue), "forgetting": .string(forgetting.rawValue),
      "drift": .string(drift.rawValue),
    ])
  }
}

extension MeasurementStatus {
  /// Prefix of a number that was not measured, with a space at the end: "reported "; otherwise empty.
  package var prefix: String { self == .measured ? "" : "\(rawValue) " }
}

extension Estimate {
  /// "0.6 ± 0.4", with the larger distance to an end of the interval.
  package func text(sign: Bool = false) -> String {
    "\(sign ? Format.signed(value, 1) : Format.fixed(value, 1)) ± \(Format.fixed(halfWidth, 1))"
  }

  /// - Parameter items: number of items behind the estimate.
  package func json(items: Int) -> JSON {
    .dictionary(["value": JSON(value), "low": JSON(low), "high": JSON(high), "n": JSON(items)])
  }
}
