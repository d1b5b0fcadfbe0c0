import Base
import Measure

/// Results of a suite on one model, item by item: a results file in vpatch's own format (docs/measurements.md), with
/// log-likelihoods and answers beside the scores.
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
    /// Root digest of the base that a divergence is measured from.
    package let reference: ContentDigest?
    /// Details of each item; empty if there are none.
    package let details: [JSON]
  }

  /// Name of the model.
  package let model: String
  /// Root digest of the model, if known.
  package let root: ContentDigest?
  /// Digest of the suite.
  package let suite: ContentDigest
  /// Such as "2026-11-22T10:00:00Z".
  package let date: String
  package let entries: [Entry]
  /// Warnings: what was left out, and why.
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

  /// As evaluation results, from which records are made.
  /// - Parameter path: name in messages.
  package func results(path: String) throws -> EvaluationResults {
    try EvaluationResults(Array(json.pretty().utf8), path: path)
  }

  /// Writes the results file atomically.
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
