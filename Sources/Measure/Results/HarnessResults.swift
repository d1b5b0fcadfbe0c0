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
//   "lm_eval_version" or "lmms_eval_version" ("branch@commit"), "date": seconds since 1970, or a text
//   "git_hash": of the folder in which it was run, which says nothing of the evaluator
//   "configs":        {task: {"metric_list": [{"metric", "higher_is_better"}], …}}
//
// What came when, by the packages of lm-evaluation-harness: "n-samples", "higher_is_better", "model_name" and
// "task_hashes" with 0.4.3, "lm_eval_version" with 0.4.4, "sample_len" later; "group_subtasks" with 0.4.1 (before, groups
// show in aliases alone, " - " and one more space for each level), "date" with 0.4.2. Before 0.4 the metrics had no
// filter: {"acc": number, "acc_stderr": number}. Where a limit was given, "limit" and "effective" may be 400.0 for 400,
// and of a limit of 0.1, which is a share, 0.4.3 writes "effective" 0.1. A number may be NaN, which Python writes.
//
// A group that has a number stands for its tasks: MMLU is one benchmark and not 57.

import Base
import Glibc

struct HarnessResults {
  let evaluator: ForgettingRecord.Evaluator
  let model: String?
  let date: String?
  private(set) var measurements: [EvaluationResults.Measurement] = []
  private let json: JSON
  /// The members of the file that have an entry a task.
  private let tables: [String: [String: JSON]]
  /// What is below a group, by its key, where aliases alone say it.
  private var indented: [String: [String]] = [:]

  static let lmEval = "lm-evaluation-harness"
  static let lmmsEval = "lmms-eval"

  init(_ json: JSON, path: String) throws {
    self.json = json
    let keys = ["group_subtasks", "n-samples", "n-shot", "versions", "task_hashes", "higher_is_better", "configs"]
    tables = Dictionary(
      uniqueKeysWithValues: keys.map { key in
        (key, Dictionary((json[key]?.object ?? []).map { ($0.key.bytesKey, $0.value) }) { a, _ in a })
      })
    if let version = json["lmms_eval_version"]?.string {
      evaluator = .init(name: Self.lmmsEval, version: version)
    } else {
      evaluator = .init(name: Self.lmEval, version: json["lm_eval_version"]?.string)
    }
    model = json["model_name"]?.string ?? Self.pretrained(json["config"]?["model_args"])
    date = json["date"]?.string ?? json["date"]?.double.flatMap(Self.utc)
    let entries = json["results"]?.object ?? []
    indented = json["group_subtasks"] == nil ? Self.indentedGroups(entries) : [:]
    var groups: [String: [String]] = [:]
    for group in entries where Self.values(group.value).contains(where: { $0.number.isFinite }) {
      for task in descendants(group.key) { groups[task.bytesKey, default: []].append(group.key) }
    }
    for entry in entries {
      measurements += Self.values(entry.value).map {
        measurement(entry.key, entry.value, $0, groups: groups[entry.key.bytesKey] ?? [])
      }
    }
  }

  /// The model's path in "pretrained=PATH,dtype=…", or in an object of the same.
  private static func pretrained(_ arguments: JSON?) -> String? {
    if let path = arguments?["pretrained"]?.string { return path }
    let parts = arguments?.string?.split(separator: ",") ?? []
    return parts.first { $0.hasPrefix("pretrained=") }.map { String($0.dropFirst("pretrained=".count)) }
  }

  private func entry(_ key: String, _ task: String) -> JSON? { tables[key]![task.bytesKey] }

  // MARK: Metrics

  private struct Value {
    let metric: String
    /// Nil in old files.
    let filter: String?
    /// Maybe NaN, or infinite.
    let number: Double
  }

  /// What is a number, and neither a standard error nor a count. Metrics without a filter are those of old files, in
  /// which none has one.
  private static func values(_ entry: JSON) -> [Value] {
    let members = entry.object ?? []
    let areOld = !members.contains { $0.key.utf8.contains(UInt8(ascii: ",")) }
    return members.compactMap { member in
      let parts = member.key.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 || areOld && !counts.contains(member.key), let number = member.value.double,
        !parts[0].contains("_stderr")
      else { return nil }
      return Value(metric: parts[0], filter: parts.count == 2 ? parts[1] : nil, number: number)
    }
  }

  /// Members of an entry that are numbers and no metrics.
  private static let counts: Set<String> = ["sample_len", "samples", "sample_count", "n", "version", "num_fewshot"]

  private func measurement(
    _ task: String, _ entry: JSON, _ value: Value, groups: [String]
  ) -> EvaluationResults.Measurement {
    func error(_ kind: String) -> Double? {
      let error = entry["\(value.metric)_stderr\(kind)\(value.filter.map { ",\($0)" } ?? "")"]?.double
      return error.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
    let leaves = leaves(task)
    let clustered = error("_clustered")
    let filter = value.filter == "none" ? nil : value.filter
    let items = items(task, entry)
    return .init(
      task: task, metric: value.metric, filter: filter, unit: KnownMetric.unit(of: value.metric, task: task),
      higherIsBetter: higherIsBetter(value.metric, task), items: items,
      impliedItems: items == nil ? impliedItems(task, value, error("")) : nil, value: value.number,
      standardError: clustered ?? error("") ?? error("_clt"), isClustered: clustered != nil,
      settings: settings(task, filter), probeSet: TaskHash.probeSet(leaves.map(\.hash)), leaves: leaves, groups: groups,
      scores: nil)
  }

  private func higherIsBetter(_ metric: String, _ task: String) -> Bool? {
    // A file that has the table says by null that it does not know.
    if let said = entry("higher_is_better", task)?[metric] { return said.bool }
    let list = entry("configs", task)?["metric_list"]?.array ?? []
    let own = list.first { $0["metric"]?.string?.isSame(as: metric) ?? false }?["higher_is_better"]?.bool
    return own ?? KnownMetric.higherIsBetter(metric)
  }

  /// lmms-eval counts what it scored under "samples"; its "effective" may be a share of the items.
  private func items(_ task: String, _ entry: JSON) -> Int? {
    if let n = entry["sample_len"]?.wholeNumber ?? entry["samples"]?.wholeNumber ?? effective(task) { return n }
    let leaves = descendants(task).compactMap(effective)
    return leaves.isEmpty ? nil : leaves.reduce(0) { $0.addingReportingOverflow($1).partialValue }
  }

  private func effective(_ task: String) -> Int? {
    guard let counts = entry("n-samples", task), let effective = counts["effective"] else { return nil }
    // The limit, written as it was given.
    if let share = effective.double, 0 < share, share < 1, let all = counts["original"]?.wholeNumber {
      return Int(exactly: (Double(all) * share).rounded(.up))
    }
    return effective.wholeNumber
  }

  /// Where every score is 0 or 1 the standard error is √(v·(1 − v) / (n − 1)), of one task's items.
  private func impliedItems(_ task: String, _ value: Value, _ error: Double?) -> Double? {
    guard KnownMetric.isBinary(value.metric), descendants(task).isEmpty, let error, error > 0 else { return nil }
    let items = value.number * (1 - value.number) / (error * error) + 1
    return items.isFinite && items >= 2 && items <= 1e9 ? items : nil
  }

  // MARK: Groups

  private func children(_ task: String) -> [String] {
    entry("group_subtasks", task)?.array?.compactMap(\.string) ?? indented[task.bytesKey] ?? []
  }

  /// Groups as 0.4.0 shows them: an alias that is indented further is below the last one that is less so.
  private static func indentedGroups(_ entries: [JSON.Member]) -> [String: [String]] {
    var groups: [String: [String]] = [:]
    var above: [(depth: Int, task: String)] = []
    for entry in entries {
      let alias = entry.value["alias"]?.string ?? ""
      let spaces = alias.prefix { $0 == " " }.count
      let depth = alias.dropFirst(spaces).hasPrefix("- ") ? spaces : 0
      above.removeAll { $0.depth >= depth }
      if let group = above.last { groups[group.task.bytesKey, default: []].append(entry.key) }
      above.append((depth, entry.key))
    }
    return groups
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
    // One for all, or one a task.
    let limit = config?["limit"].flatMap { $0.object == nil ? $0 : $0[task] }
    return JSON.dictionary([
      "n_shot": shots, "version": perTask("versions"), "filter": filter.map { .string($0) },
      "limit": plain(limit), "offset": config?["offset"].flatMap { $0 == JSON(0) ? nil : plain($0) },
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
