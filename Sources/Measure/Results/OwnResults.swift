// vpatch's own form of a results file, for evaluators of one's own:
//
//   {"format": "vpatch.results.1", "evaluator": {"name": text, "version": text}, "model": text, "date": text,
//    "tasks": [{"task": text, "metric": text, "unit": "share", "higher_is_better": true, "n": 200, "value": 0.535,
//               "standard_error": 0.035, "scores": [1, 0, …], "probe_set": 64 digits, "settings": {plain values}}, …]}
//
// Of a task "task", "metric", "unit", "higher_is_better" and "value" must be there; "n", or "scores" of which it is the
// count. Scores are one an item, in the same order before and after; their mean is the value.

import PatchFormat

struct OwnResults {
  static let format = "vpatch.results.1"

  let evaluator: ForgettingRecord.Evaluator
  let model: String?
  let date: String?
  let measurements: [EvaluationResults.Measurement]

  init(_ json: JSON, path: String) throws {
    guard let name = json["evaluator"]?["name"]?.string, !name.isEmpty else {
      throw VPatchError(.invalid, path, "does not name its evaluator")
    }
    evaluator = .init(name: name, version: json["evaluator"]?["version"]?.string)
    model = json["model"]?.string
    date = json["date"]?.string
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
        throw invalid("without saying whether higher is better")
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
      if let scores, !scores.average(to: value) { throw invalid("with scores whose mean is not its value") }
      let probeSet = try entry["probe_set"].map { text in
        guard let digest = text.string.flatMap(Digest.init(hex:)) else {
          throw invalid("with a probe set that is not 64 hexadecimal digits")
        }
        return digest
      }
      let settings = entry["settings"]?.object ?? []
      guard settings.allSatisfy(\.value.isPlain) else { throw invalid("with settings that are not plain values") }
      return .init(
        task: task, metric: metric, filter: nil, unit: MeasurementUnit(rawValue: unit), higherIsBetter: higherIsBetter,
        items: items, value: value, standardError: entry["standard_error"]?.double.flatMap { $0 >= 0 ? $0 : nil },
        isClustered: false, settings: settings, probeSet: probeSet, leaves: [], scores: scores)
    }
  }
}

extension [Double] {
  /// Of at least one.
  var mean: Double { reduce(0, +) / Double(count) }

  /// Whether their mean is this value, but for the rounding of one that was written with six digits.
  func average(to value: Double) -> Bool { !isEmpty && abs(mean - value) <= 1e-6 * Swift.max(1, abs(value)) }
}
