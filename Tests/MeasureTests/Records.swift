import Base

@testable import Measure

/// Records for tests, with what does not matter filled in.
enum Records {
  static let base = SHA256Hasher.hash("base")
  static let tuned = SHA256Hasher.hash("tuned")

  static func record(
    _ task: String = "arc", _ role: ForgettingRecord.Role = .heldOut, unit: MeasurementUnit = .share,
    before: Double = 0.6, after: Double = 0.59, half: Double? = 0.01, items: Int = 1000,
    measured: ContentDigest? = tuned,
    higherIsBetter: Bool = true, metric: String = "acc", settings: [JSON.Member] = [], probeSet: ContentDigest? = nil
  ) -> ForgettingRecord {
    ForgettingRecord(
      task: task, metric: metric, role: role, unit: unit, higherIsBetter: higherIsBetter, items: items,
      before: before, after: after,
      interval: half.map { Interval(low: after - before - $0, high: after - before + $0, .newcombe) },
      reference: base, measured: measured, probeSet: probeSet, evaluator: .init(name: "test", version: "1"),
      settings: settings)
  }

  /// The error of a call.
  static func refusal(_ call: () throws -> Void) -> VPatchError? {
    do { try call() } catch { return error as? VPatchError }
    return nil
  }
}
