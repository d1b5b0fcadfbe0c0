import Base
import Measure

/// What a suite came to on one model, item by item: a results file in vpatch's own form (docs/measurements.md), with the
/// log-likelihoods and answers of the items beside their scores.
package struct SuiteResults: Sendable {
  package struct Entry: Sendable {
    package let task: String
    package let metric: String
    package let role: ForgettingRecord.Role
    package let unit: MeasurementUnit
    package let higherIsBetter: Bool
    package let scores: ItemScores
    package let probeSet: ContentDigest
    package let settings: [JSON.Member]
    /// The base that a divergence is from.
    package let reference: ContentDigest?
    /// What more is known of each item; empty where that is nothing.
    package let details: [JSON]
  }

  /// What the model is called.
  package let model: String
  /// The root of the model, where it is known.
  package let root: ContentDigest?
  /// Of the suite.
  package let suite: ContentDigest
  /// As in "2026-11-22T10:00:00Z".
  package let date: String
  package let entries: [Entry]
  /// What was left out, and why.
  package let notes: [String]

  package static let evaluator = ForgettingRecord.Evaluator(name: "vpatch", version: vpatchVersion)

  /// The results file.
  package var json: JSON {
    .dictionary([
      "format": "vpatch.results.1",
      "evaluator": .dictionary(["name": .string(Self.evaluator.name), "version": .string(vpatchVersion)]),
      "model": .string(model), "root": root.map { .string($0.hex) }, "suite": .string(suite.hex),
      "date": .string(date), "tasks": .array(entries.map(\.json)),
    ])
  }

  /// The same as what records are made from.
  /// - Parameter path: what messages call it.
  package func results(path: String) throws -> EvaluationResults {
    try EvaluationResults(Array(json.pretty().utf8), path: path)
  }

  /// Writes the results file, whole or not at all.
  package func write(to path: String, replacing: Bool = false) throws {
    let file = try OutputFile(path: path, replacing: replacing)
    try file.write(json.pretty(), at: 0)
    try file.commit()
  }
}

extension SuiteResults.Entry {
  fileprivate var json: JSON {
    .dictionary([
      "task": .string(task), "metric": .string(metric), "role": .string(role.rawValue),
      "unit": .string(unit.rawValue), "higher_is_better": .bool(higherIsBetter), "n": JSON(scores.values.count),
      "value": JSON(scores.value), "scores": .array(scores.values.map { JSON($0) }),
      "weights": scores.weights.map { .array($0.map { JSON($0) }) }, "probe_set": .string(probeSet.hex),
      "reference": reference.map { .string($0.hex) }, "settings": .object(settings),
      "items": details.isEmpty ? nil : .array(details),
    ])
  }
}
