// The results files of lm-evaluation-harness (0.4.x: results_DATE.json) and of its fork lmms-eval (DATE_results.json),
// as their evaluation_tracker.py writes them:
//
//   "results":        {task: {"alias": text, "METRIC,FILTER": number, "METRIC_stderr,FILTER": number or "N/A",
//                             "sample_len" (lm-eval) or "samples" (lmms-eval): n,
//                             "METRIC_stderr_clt,FILTER", "METRIC_stderr_clustered,FILTER" (lmms-eval): the same}}
//   "groups":         {group: the same}, for groups with a mean over tasks; they are in "results" too
//   "group_subtasks": {group: [task or group, …]}; older versions list every task with []
//   "n-samples":      {task: {"original": n, "effective": n}}
//   "n-shot", "versions", "task_hashes": {task: value}; task_hashes is empty unless samples were logged
//   "higher_is_better": {task: {metric: bool or null}}
//   "config":         {"model_args", "gen_kwargs", "limit", "fewshot_seed", …}; with "vpatch_root" from the model class of
//                     vpatch's Python package (vpatch.lm_eval), which hashed the weights that it evaluated
//   "model_name", "chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn"
//   "lm_eval_version" or "lmms_eval_version" ("branch@commit"), "date": seconds since 1970, or text
//   "git_hash":       of the working folder, which is unrelated to the evaluator's version
//   "configs":        {task: {"metric_list": [{"metric", "higher_is_better"}], …}}
//
// Introduced in these versions of lm-evaluation-harness: "n-samples", "higher_is_better", "model_name" and
// "task_hashes" in 0.4.3, "lm_eval_version" in 0.4.4, "sample_len" later; "group_subtasks" in 0.4.1 (before, groups are
// visible in aliases only: " - " and one more space per level), "date" in 0.4.2. Before 0.4 the metrics had no filter:
// {"acc": number, "acc_stderr": number}. With a limit, "limit" and "effective" may be 400.0 for 400, and for a limit of
// 0.1, a fraction, 0.4.3 writes "effective" 0.1. A number may be NaN, which Python writes.
//
// A group with a value replaces its tasks: MMLU is one benchmark, not 57.

import Base
import Glibc

struct HarnessResults {
  let evaluator: ForgettingRecord.Evaluator
  let model: String?
  let date: String?
  /// Root digest of the evaluated weights, if vpatch's model class hashed them.
  let root: ContentDigest?
  private(set) var measurements: [EvaluationResults.Measurement] = []
  private let json: JSON
  /// The members of the file that map tasks to values.
  private let tables: [String: [String: JSON]]
  /// Members of a group, by its key, if only aliases show them.
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
    root = try json["config"]?["vpatch_root"].map { value in
      guard let digest = value.string.flatMap(ContentDigest.init(hex:)) else {
        throw VPatchError(.invalid, path, "has a \"vpatch_root\" that is not 64 hexadecimal digits")
      }
      return digest
    }
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

  /// The model's path in "pretrained=PATH,dtype=…", or in an object with the same members.
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
    /// May be NaN or infinite.
    let number: Double
  }

  /// Numbers that are neither standard errors nor counts. Metrics without a filter occur only in old files, where no
  /// metric has one.
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

  /// Members of an entry that are numbers but not metrics.
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
    // If the file has the table, null means unknown.
    if let said = entry("higher_is_better", task)?[metric] { return said.bool }
    let list = entry("configs", task)?["metric_list"]?.array ?? []
    let own = list.first { $0["metric"]?.string?.isSame(as: metric) ?? false }?["higher_is_better"]?.bool
    return own ?? KnownMetric.higherIsBetter(metric)
  }

  /// lmms-eval writes the number of scored items as "samples"; its "effective" may be a fraction of the items.
  private func items(_ task: String, _ entry: JSON) -> Int? {
    if let n = entry["sample_len"]?.wholeNumber ?? entry["samples"]?.wholeNumber ?? effective(task) { return n }
    let leaves = descendants(task).compactMap(effective)
    return leaves.isEmpty ? nil : leaves.reduce(0) { $0.addingReportingOverflow($1).partialValue }
  }

  private func effective(_ task: String) -> Int? {
    guard let counts = entry("n-samples", task), let effective = counts["effective"] else { return nil }
    // The limit as it was given.
    if let share = effective.double, 0 < share, share < 1, let all = counts["original"]?.wholeNumber {
      return Int(exactly: (Double(all) * share).rounded(.up))
    }
    return effective.wholeNumber
  }

  /// If every score is 0 or 1, the standard error is √(v·(1 − v) / (n − 1)), for the items of one task.
  private func impliedItems(_ task: String, _ value: Value, _ error: Double?) -> Double? {
    guard KnownMetric.isBinary(value.metric), descendants(task).isEmpty, let error, error > 0 else { return nil }
    let items = value.number * (1 - value.number) / (error * error) + 1
    return items.isFinite && items >= 2 && items <= 1e9 ? items : nil
  }

  // MARK: Groups

  private func children(_ task: String) -> [String] {
    entry("group_subtasks", task)?.array?.compactMap(\.string) ?? indented[task.bytesKey] ?? []
  }

  /// Groups as in 0.4.0: an alias belongs to the last alias that is indented less.
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

  /// All tasks and groups below a group, without repetition: a file may list a group as its own descendant.
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

  /// Settings that the result depends on besides the model.
  private func settings(_ task: String, _ filter: String?) -> [JSON.Member] {
    func perTask(_ key: String) -> JSON? {
      if let own = entry(key, task), own.isPlain, own != .null { return own }
      // A group has the value that all its members agree on.
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
    // One for all tasks, or one per task.
    let limit = config?["limit"].flatMap { $0.object == nil ? $0 : $0[task] }
    return JSON.dictionary([
      "n_shot": shots, "version": perTask("versions"), "filter": filter.map { .string($0) },
      "limit": plain(limit), "offset": config?["offset"].flatMap { $0 == JSON(0) ? nil : plain($0) },
      "gen_kwargs": plain(config?["gen_kwargs"]),
      // Determines the examples in the prompt.
      "fewshot_seed": shots == JSON(0) ? nil : plain(config?["fewshot_seed"]),
      "fewshot_as_multiturn": plain(json["fewshot_as_multiturn"]),
      "chat_template_sha": plain(json["chat_template_sha"]),
      "system_instruction_sha": plain(json["system_instruction_sha"]),
    ]).object ?? []
  }

  /// "2026-11-22T10:00:00Z" from seconds since 1970; nil for a number outside the range of dates.
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
