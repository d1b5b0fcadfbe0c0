// The results files of lm-evaluation-harness (0.4.x: results_DATE.json) and of lmms-eval, which grew out of it
// (DATE_results.json), as their evaluation_tracker.py writes them:
//
//   "results":        {task: {"alias": text, "METRIC,FILTER": number, "METRIC_stderr,FILTER": number or "N/A",
//                             "sample_len" (lm-eval) or "samples" (lmms-eval): n,
//                             "METRIC_stderr_clt,FILTER", "METRIC_stderr_clustered,FILTER" (lmms-eval): the same}}
//   "groups":         {group: the same}, for groups that are a mean of tasks; they stand in "results" too
//   "group_subtasks": {group: [task or group, …]}; older versions list every task with []
//   "n-samples":      {task: {"original": n, "effective": n}}
//   "n-shot", "versions", "task_hashes": {task: value}; task_hashes is empty unless samples were logged
//   "higher_is_better": {task: {metric: bool or null}}
//   "config":         {"model_args", "gen_kwargs", "limit", "fewshot_seed", …}
//   "model_name", "chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn"
//   "lm_eval_version" or "lmms_eval_version" ("branch@commit"), "git_hash", "date": seconds since 1970, or a text
//
// A group that has a number stands for its tasks: MMLU is one benchmark and not 57.

import Glibc
import PatchFormat

struct HarnessResults {
  let evaluator: ForgettingRecord.Evaluator
  let model: String?
  let date: String?
  private(set) var measurements: [EvaluationResults.Measurement] = []
  private let json: JSON
  /// The members of the file that have an entry a task.
  private let tables: [String: [String: JSON]]

  static let lmEval = "lm-evaluation-harness"
  static let lmmsEval = "lmms-eval"

  init(_ json: JSON, path: String) throws {
    self.json = json
    let keys = ["group_subtasks", "n-samples", "n-shot", "versions", "task_hashes", "higher_is_better"]
    tables = Dictionary(
      uniqueKeysWithValues: keys.map { key in
        (key, Dictionary((json[key]?.object ?? []).map { ($0.key.bytesKey, $0.value) }) { a, _ in a })
      })
    if let version = json["lmms_eval_version"]?.string {
      evaluator = .init(name: Self.lmmsEval, version: version)
    } else {
      evaluator = .init(name: Self.lmEval, version: json["lm_eval_version"]?.string ?? json["git_hash"]?.string)
    }
    model = json["model_name"]?.string
    date = json["date"]?.string ?? json["date"]?.double.flatMap(Self.utc)
    let entries = json["results"]?.object ?? []
    let groups = entries.filter { !children($0.key).isEmpty && Self.values($0.value).contains { _ in true } }
    let grouped = Set(groups.flatMap { descendants($0.key) }.map(\.bytesKey))
    for entry in entries where !grouped.contains(entry.key.bytesKey) {
      measurements += Self.values(entry.value).map { measurement(entry.key, entry.value, $0) }
    }
  }

  private func entry(_ key: String, _ task: String) -> JSON? { tables[key]![task.bytesKey] }

  // MARK: Metrics

  private struct Value {
    let metric: String
    let filter: String
    let number: Double
  }

  /// What is a number, and neither a standard error nor a count.
  private static func values(_ entry: JSON) -> [Value] {
    (entry.object ?? []).compactMap { member in
      let parts = member.key.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, let number = member.value.double, number.isFinite, !parts[0].contains("_stderr") else {
        return nil
      }
      return Value(metric: parts[0], filter: parts[1], number: number)
    }
  }

  private func measurement(_ task: String, _ entry: JSON, _ value: Value) -> EvaluationResults.Measurement {
    func error(_ kind: String) -> Double? {
      let error = entry["\(value.metric)_stderr\(kind),\(value.filter)"]?.double
      return error.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
    let leaves = leaves(task)
    let clustered = error("_clustered")
    let filter = value.filter == "none" ? nil : value.filter
    return .init(
      task: task, metric: value.metric, filter: filter, unit: KnownMetric.unit(of: value.metric, task: task),
      higherIsBetter: self.entry("higher_is_better", task)?[value.metric]?.bool,
      items: items(task, entry), value: value.number, standardError: clustered ?? error("") ?? error("_clt"),
      isClustered: clustered != nil, settings: settings(task, filter), probeSet: TaskHash.probeSet(leaves.map(\.hash)),
      leaves: leaves, scores: nil)
  }

  /// lmms-eval counts what it scored under "samples"; its "effective" may be a share of the items.
  private func items(_ task: String, _ entry: JSON) -> Int? {
    if let n = entry["sample_len"]?.int ?? entry["samples"]?.int ?? self.entry("n-samples", task)?["effective"]?.int {
      return n
    }
    let leaves = descendants(task).compactMap { self.entry("n-samples", $0)?["effective"]?.int }
    return leaves.isEmpty ? nil : leaves.reduce(0) { $0.addingReportingOverflow($1).partialValue }
  }

  // MARK: Groups

  private func children(_ task: String) -> [String] {
    entry("group_subtasks", task)?.array?.compactMap(\.string) ?? []
  }

  /// Everything below a group, each once: the file may name a group below itself.
  private func descendants(_ task: String) -> [String] {
    var found: [String] = []
    var seen: Set<String> = [task.bytesKey]
    var open = children(task)
    while let next = open.popLast() {
      guard seen.insert(next.bytesKey).inserted else { continue }
      found.append(next)
      open += children(next)
    }
    return found.sorted { $0.precedes($1) }
  }

  private func leaves(_ task: String) -> [EvaluationResults.Measurement.Leaf] {
    let below = descendants(task).filter { children($0).isEmpty }
    return (below.isEmpty ? [task] : below).map { .init(task: $0, hash: entry("task_hashes", $0)?.string) }
  }

  // MARK: Settings

  /// What the result depends on besides the model.
  private func settings(_ task: String, _ filter: String?) -> [JSON.Member] {
    func perTask(_ key: String) -> JSON? {
      if let own = entry(key, task), own.isPlain, own != .null { return own }
      // A group in which all agree has their value.
      let values = descendants(task).compactMap { entry(key, $0) }.filter { $0.isPlain && $0 != .null }
      guard let first = values.first, !values.contains(where: { $0 != first }) else { return nil }
      return first
    }
    func plain(_ value: JSON?) -> JSON? {
      guard let value, value != .null else { return nil }
      return value.isPlain ? value : .string(String(decoding: value.canonical(), as: UTF8.self))
    }
    let shots = perTask("n-shot")
    let config = json["config"]
    return JSON.dictionary([
      "n_shot": shots, "version": perTask("versions"), "filter": filter.map { .string($0) },
      "limit": plain(config?["limit"]), "offset": config?["offset"].flatMap { $0 == JSON(0) ? nil : plain($0) },
      "gen_kwargs": plain(config?["gen_kwargs"]),
      // Which examples stand in the prompt.
      "fewshot_seed": shots == JSON(0) ? nil : plain(config?["fewshot_seed"]),
      "fewshot_as_multiturn": plain(json["fewshot_as_multiturn"]),
      "chat_template_sha": plain(json["chat_template_sha"]),
      "system_instruction_sha": plain(json["system_instruction_sha"]),
    ]).object ?? []
  }

  /// "2026-11-22T10:00:00Z" of seconds since 1970; nil for a number that is no date.
  private static func utc(_ seconds: Double) -> String? {
    guard (0..<1e11).contains(seconds) else { return nil }
    var time = time_t(seconds)
    var parts = tm()
    guard gmtime_r(&time, &parts) != nil else { return nil }
    let text = [CChar](unsafeUninitializedCapacity: 32) { buffer, count in
      count = strftime(buffer.baseAddress!, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    }
    return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
