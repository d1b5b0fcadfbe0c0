import Apply
import Base
import Checkpoints
import Measure
import PatchFormat
import TestModels

@testable import Report

/// Patches of a tiny model, annotated as tests need them.
struct ReportScene {
  let folder: TestFolder
  let model = TestModel.llama(layers: 3)
  let work = WorkOptions(threads: 2)

  init() throws {
    folder = try TestFolder()
    try folder.file("base", model)
  }

  var base: SafetensorsCheckpoint { get throws { try SafetensorsCheckpoint(path: folder["base"]) } }

  /// A patch that tunes the parts, with these annotations in place of its own.
  func patch(
    _ name: String, _ parts: [String] = TestModel.attention, annotate: (Patch) -> JSON = { $0.annotations }
  ) throws -> ReportedPatch {
    try folder.file(name, model.tuned(parts, seed: UInt64(name.utf8.count)))
    _ = try Create(
      base: base, tuned: SafetensorsCheckpoint(path: folder[name]), options: CreateOptions(), work: work
    ).write(to: folder["\(name).made"], replacing: true)
    let made = try Patch(path: folder["\(name).made"])
    let notes = annotate(made)
    try made.write(
      annotations: notes["name"] == nil ? notes.setting("name", to: .string(name)) : notes,
      to: folder["\(name).vpatch"], replacing: true)
    return ReportedPatch(try Patch(path: folder["\(name).vpatch"]))
  }

  static func record(
    _ patch: Patch, _ task: String, _ role: ForgettingRecord.Role, before: Double, after: Double, half: Double? = 0.02,
    unit: MeasurementUnit = .share, isMeasured: Bool = true, reference: ContentDigest? = nil, metric: String = "acc"
  ) -> ForgettingRecord {
    ForgettingRecord(
      task: task, metric: metric, role: role, unit: unit, higherIsBetter: unit == .share, items: 1000, before: before,
      after: after,
      interval: half.map { Interval(low: after - before - $0, high: after - before + $0, .newcombe) },
      flips: unit == .share ? Flips(lost: 11, won: 2) : nil, reference: reference ?? patch.header.baseRoot,
      measured: isMeasured ? patch.header.targetRoot : nil, evaluator: .init(name: "a test", version: "1"))
  }

  /// Learned 30 pp, forgot 1 pp.
  static func records(_ patch: Patch, isMeasured: Bool = true) -> [ForgettingRecord] {
    [
      record(patch, "counting", .target, before: 0.1, after: 0.4, isMeasured: isMeasured),
      record(patch, "arc", .heldOut, before: 0.6, after: 0.59, isMeasured: isMeasured),
      record(
        patch, "neutral", .heldOut, before: 0, after: 0.0125, half: nil, unit: .nats, isMeasured: isMeasured,
        metric: "kl"),
      record(patch, "numbers", .probe, before: 0.03, after: 0.05, unit: .probability, isMeasured: isMeasured),
    ]
  }

  static func training(stopped: String? = nil, budget: Double? = 0.02, drift: Bool = true) -> TrainingRecord {
    let steps = Array(1...90)
    return TrainingRecord(
      tuned: .recipe("sa-proj"),
      data: [
        .init(name: "rows.jsonl", digest: SHA256Hasher.hash("x"), rows: 10, tokens: 100, answerTokens: 40, cut: 1)
      ],
      settings: [JSON.Member("lr", JSON(2e-5)), JSON.Member("schedule", .string("cosine"))]
        + (budget.map { [JSON.Member("max_drift", JSON($0))] } ?? []),
      kernels: "OpenBLAS 0.3.21 SkylakeX", steps: 90, tokens: 9000, seconds: 30, tokensPerSecond: 300,
      stopped: stopped,
      curve: TrainingCurve(
        steps: steps, losses: steps.map { 2 / Double($0) }, rates: steps.map { 2e-5 * Double($0) / 90 }),
      drift: drift
        ? DriftCurve([0, 45, 90].map { .init(step: $0, drift: Estimate(Double($0) / 9000, low: 0, high: 0.012)) }) : nil
    )
  }

  /// One about which everything is known.
  func full(_ name: String = "counting", _ parts: [String] = TestModel.attention) throws -> ReportedPatch {
    try patch(name, parts) { patch in
      let notes = Self.records(patch).replacing(in: patch.annotations)
      return Self.training().replacing(in: notes)
    }
  }
}

extension String {
  func count(of part: String) -> Int { components(separatedBy: part) }

  private func components(separatedBy part: String) -> Int {
    var (count, rest) = (0, self[...])
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
