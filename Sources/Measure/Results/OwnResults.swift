// vpatch's own results format, for other evaluators:
//
//   {"format": "vpatch.results.1", "evaluator": {"name": text, "version": text}, "model": text, "date": text,
//    "tasks": [{"task": text, "metric": text, "unit": "share", "higher_is_better": true, "n": 200, "value": 0.535,
//               "standard_error": 0.035, "scores": [1, 0, …], "probe_set": 64 digits, "settings": {plain values}}, …]}
//
// For a task, "task", "metric", "unit", "higher_is_better" and "value" are required, and "n", or "scores", whose number
// is n. There is one score per item, in the same order before and after; the value is their mean. With "weights", one
// per item, it is the weighted mean; for a perplexity, whose scores are losses in nats, the exponential of that. "role"
// is the task's role, "reference" the root digest of the model that a divergence is measured from; beside "tasks",
// "root" is that of the evaluated model. Other members are ignored.

import Base

struct OwnResults {
  static let format = "vpatch.results.1"

  let evaluator: ForgettingRecord.Evaluator
  let model: String?
  let date: String?
  let root: ContentDigest?
  let measurements: [EvaluationResults.Measurement]

  init(_ json: JSON, path: String) throws {
    guard let name = json["evaluator"]?["name"]?.string, !name.isEmpty else {
      throw VPatchError(.invalid, path, "does not name its evaluator")
    }
    evaluator = .init(name: name, version: json["evaluator"]?["version"]?.string)
    model = json["model"]?.string
    date = json["date"]?.string
    root = try Self.digest("root", in: json) { VPatchError(.invalid, path, "has a root that \($0)") }
    guard let entries = json["tasks"]?.array else { throw VPatchError(.invalid, path, "has no list of tasks") }
    var seen: Set<String> = []
    measurements = try entries.enumerated().map { i, entry in
      guard let task = entry["task"]?.string, !task.isEmpty else {
        throw VPatchError(.invalid, path, "has a task, number \(i + 1), without a name")
      }
      func invalid(_ reason: String) -> VPatchError {
        VPatchError(.invalid, path, "has the task \"\(task.printable)\" \(reason)")
      }
      guard let metric = entry["metric"]?.string, !metric.isEmpty else { throw invalid("without a metric") }
      guard seen.insert("\(task.bytesKey)\u{0}\(metric.bytesKey)").inserted else {
        throw invalid("twice with the metric \(metric)")
      }
      guard let unit = entry["unit"]?.string, !unit.isEmpty else { throw invalid("without a unit") }
      guard let higherIsBetter = entry["higher_is_better"]?.bool else {
        throw invalid("without \"higher_is_better\"")
      }
      guard let value = entry["value"]?.double, value.isFinite else { throw invalid("without a value") }
      let scores = try entry["scores"].map { list in
        guard let numbers = list.array?.map(\.double), numbers.allSatisfy({ $0?.isFinite ?? false }) else {
          throw invalid("with scores that are not a list of numbers")
        }
        return numbers.map { $0! }
      }
      let items = entry["n"]?.int ?? scores?.count
      if let scores, scores.count != items { throw invalid("with \(scores.count) scores for n = \(items ?? 0)") }
      let weights = try entry["weights"].map { list in
        guard let weights = list.array?.map({ $0.double ?? 0 }), weights.allSatisfy({ $0 > 0 && $0.isFinite }),
          weights.count == scores?.count
        else { throw invalid("with weights that are not one number above zero for each score") }
        return weights
      }
      let itemScores = scores.map { ItemScores($0, weights: weights, unit: MeasurementUnit(rawValue: unit)) }
      if let itemScores, !itemScores.average(to: value) { throw invalid("with scores whose mean is not its value") }
      let probeSet = try Self.digest("probe_set", in: entry) { invalid("with a probe set that \($0)") }
      let reference = try Self.digest("reference", in: entry) { invalid("with a reference that \($0)") }
      let role = try entry["role"].map { text in
        guard let role = text.string.flatMap(ForgettingRecord.Role.init(rawValue:)) else {
          throw invalid("with a role that is not target, held-out or probe")
        }
        return role
      }
      let settings = entry["settings"]?.object ?? []
      guard settings.allSatisfy(\.value.isPlain) else { throw invalid("with settings that are not plain values") }
      return .init(
        task: task, metric: metric, filter: nil, unit: MeasurementUnit(rawValue: unit), higherIsBetter: higherIsBetter,
        items: items, value: value, standardError: entry["standard_error"]?.double.flatMap { $0 >= 0 ? $0 : nil },
        isClustered: false, settings: settings, probeSet: probeSet, leaves: [], scores: itemScores,
        role: role, reference: reference)
    }
  }

  private static func digest(
    _ key: String, in json: JSON, _ error: (_ reason: String) -> VPatchError
  ) throws -> ContentDigest? {
    guard let value = json[key] else { return nil }
    guard let digest = value.string.flatMap(ContentDigest.init(hex:)) else {
      throw error("is not 64 hexadecimal digits")
    }
    return digest
  }
}
