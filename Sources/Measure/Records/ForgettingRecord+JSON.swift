// One entry of the annotation "forgetting" (spec, section 7.1):
//
//   {"task": "arc_easy", "metric": "acc_norm", "role": "held-out", "unit": "share", "higher_is_better": true,
//    "n": 2376, ("n_from": "standard-errors",) "before": 0.61, "after": 0.6, "change": -0.01,
//    "interval": {"low": -0.024, "high": 0.003, "level": 0.95, "method": "bonett-price"},
//    "flips": {"lost": 120, "won": 96}, "p": 0.117,
//    "reference": root, "measured": root or null, "status": "measured" or "reported", "probe_set": digest or null,
//    "evaluator": {"name": "lm-evaluation-harness", "version": "0.4.13"}, "settings": {"n_shot": 0, …},
//    "date": "2026-11-22T10:00:00Z", "sources": {"before": {"sha256": digest, "model": text}, "after": {…}}}
//
// Valid if and only if (1) task, metric, role, unit, higher_is_better, n, before, after, reference, status and
// evaluator are present and of the right type, (2) n is within 1 … 10¹², (3) numbers are finite, those of a share or a
// probability within 0 … 1, (4) change, if present, is after − before, (5) the interval has level 0.95 and contains the
// change, and is present for a share, (6) flips are not more than n, p within 0 … 1, (7) status is "measured" exactly
// if measured is a root, (8) settings are plain values.

import Base
import Glibc

extension ForgettingRecord {
  package var json: JSON {
    func source(_ source: Source) -> JSON {
      .dictionary(["sha256": .string(source.digest.hex), "model": source.model.map { .string($0) }])
    }
    let known = JSON.dictionary([
      "task": .string(task), "metric": .string(metric), "role": .string(role.rawValue),
      "unit": .string(unit.rawValue), "higher_is_better": .bool(higherIsBetter), "n": JSON(items),
      "n_from": areItemsImplied ? .string(Self.impliedItems) : nil,
      "before": JSON(before), "after": JSON(after), "change": JSON(change),
      "interval": interval.map {
        .dictionary([
          "low": JSON($0.low), "high": JSON($0.high), "level": JSON(Interval.level),
          "method": .string($0.method.rawValue),
        ])
      },
      "flips": flips.map { .dictionary(["lost": JSON($0.lost), "won": JSON($0.won)]) },
      "p": pValue.map { JSON($0) },
      "reference": .string(reference.hex), "measured": measured.map { .string($0.hex) } ?? .null,
      "status": .string(status.rawValue), "probe_set": probeSet.map { .string($0.hex) } ?? .null,
      "evaluator": .dictionary([
        "name": .string(evaluator.name), "version": evaluator.version.map { .string($0) },
      ]),
      "settings": .object(settings), "date": date.map { .string($0) },
      "sources": sourceBefore == nil && sourceAfter == nil
        ? nil : .dictionary(["before": sourceBefore.map(source), "after": sourceAfter.map(source)]),
    ])
    return .object((known.object ?? []) + others)
  }

  private static let impliedItems = "standard-errors"

  private static let known: Set<String> = [
    "task", "metric", "role", "unit", "higher_is_better", "n", "before", "after", "change", "interval", "flips", "p",
    "reference", "measured", "status", "probe_set", "evaluator", "settings", "date", "sources",
  ]

  /// - Throws: `InvalidRecord` with the first violated rule.
  init(json: JSON) throws(InvalidRecord) {
    guard json.object != nil else { throw InvalidRecord("is not an object") }
    let reader = ObjectReader(record: json)
    task = try reader.text("task")
    metric = try reader.text("metric")
    guard let role = Role(rawValue: try reader.text("role")) else {
      throw InvalidRecord("has a role that is not target, held-out or probe")
    }
    self.role = role
    unit = MeasurementUnit(rawValue: try reader.text("unit"))
    guard let higherIsBetter = json["higher_is_better"]?.bool else {
      throw InvalidRecord("does not say whether higher is better")
    }
    self.higherIsBetter = higherIsBetter
    guard let items = json["n"]?.int, (1...Self.maximumItems).contains(items) else {
      throw InvalidRecord("has no \"n\" from 1 to 10^12")
    }
    self.items = items
    areItemsImplied = json["n_from"]?.string == Self.impliedItems
    before = try reader.number("before")
    after = try reader.number("after")
    guard !unit.isWithinOne || [before, after].allSatisfy({ (0...1).contains($0) }) else {
      throw InvalidRecord("has a \(unit.rawValue) outside 0 … 1")
    }
    let tolerance = 1e-9 * max(1, abs(before), abs(after))
    if json["change"] != nil {
      guard abs(try reader.number("change") - (after - before)) <= tolerance else {
        throw InvalidRecord("has a change that is not after − before")
      }
    }
    interval = try Self.interval(reader.optional("interval"))
    if let interval {
      guard (interval.low - tolerance...interval.high + tolerance).contains(after - before) else {
        throw InvalidRecord("has an interval that does not contain its change")
      }
    }
    guard interval != nil || unit != .share else { throw InvalidRecord("has a share without an interval") }
    if let entry = reader.optional("flips") {
      guard let lost = entry["lost"]?.int, let won = entry["won"]?.int, lost <= items, won <= items - lost else {
        throw InvalidRecord("has flips that are not two counts of at most n")
      }
      flips = Flips(lost: lost, won: won)
    }
    if reader.optional("p") != nil {
      let p = try reader.number("p")
      guard (0...1).contains(p) else { throw InvalidRecord("has a p-value outside 0 … 1") }
      pValue = p
    }
    reference = try reader.digest("reference")
    measured = try reader.optionalDigest("measured")
    probeSet = try reader.optionalDigest("probe_set")
    guard let status = MeasurementStatus(rawValue: try reader.text("status")), status <= .reported,
      (status == .measured) == (measured != nil)
    else { throw InvalidRecord("has a status that contradicts \"measured\"") }
    guard let evaluator = json["evaluator"] else { throw InvalidRecord("has no evaluator") }
    self.evaluator = Evaluator(
      name: try ObjectReader(record: evaluator).text("name"), version: evaluator["version"]?.string)
    settings = try reader.plainValues("settings")
    date = json["date"]?.string
    func source(_ key: String) throws(InvalidRecord) -> Source? {
      guard let entry = json["sources"]?[key] else { return nil }
      guard let digest = try ObjectReader(record: entry).optionalDigest("sha256") else {
        throw InvalidRecord("has a source without a digest")
      }
      return Source(digest: digest, model: entry["model"]?.string)
    }
    sourceBefore = try source("before")
    sourceAfter = try source("after")
    let known = areItemsImplied ? Self.known.union(["n_from"]) : Self.known
    others = reader.members.filter { !known.contains($0.key) }
  }

  private static func interval(_ json: JSON?) throws(InvalidRecord) -> Interval? {
    guard let json else { return nil }
    let reader = ObjectReader(record: json)
    let (low, high) = (try reader.number("low"), try reader.number("high"))
    guard try reader.number("level") == Interval.level else {
      throw InvalidRecord("has an interval whose level is not \(Interval.level)")
    }
    guard low <= high else { throw InvalidRecord("has an interval whose low end exceeds its high end") }
    guard let method = json["method"]?.string.flatMap(Interval.Method.init(rawValue:)) else {
      throw InvalidRecord("has an unknown interval method")
    }
    return Interval(low: low, high: high, method)
  }
}

extension [ForgettingRecord] {
  static let annotation = "forgetting"

  /// The records in a patch's annotations.
  /// - Parameter subject: the patch, for messages.
  /// - Throws: `invalid`, with the index of the malformed record and the reason.
  package init(annotations: JSON, subject: String) throws {
    self = []
    guard let member = annotations[Self.annotation], member != .null else { return }
    guard let entries = member.array else {
      throw VPatchError(.invalid, subject, "has forgetting records that are not a list", remedy: Self.remedy)
    }
    for (i, entry) in entries.enumerated() {
      do { append(try ForgettingRecord(json: entry)) } catch {
        throw VPatchError(
          .invalid, subject, "has a forgetting record, number \(i + 1), that \(error.reason)", remedy: Self.remedy)
      }
    }
  }

  private static let remedy = "write new ones with 'vpatch annotate --replace-all'"

  /// The annotations with these records in place of their own.
  package func replacing(in annotations: JSON) -> JSON {
    annotations.setting(Self.annotation, to: isEmpty ? nil : .array(map(\.json)))
  }

  /// Splits the records: those of other tasks, and those of these.
  package func dropping(_ tasks: [String]) -> (kept: Self, dropped: Self) {
    func isNamed(_ record: ForgettingRecord) -> Bool { tasks.contains { $0.isSame(as: record.task) } }
    return (filter { !isNamed($0) }, filter(isNamed))
  }

  /// - Throws: `refused` for a task without a record, with the tasks that have one.
  package func require(_ tasks: [String], subject: String) throws {
    for task in tasks where !contains(where: { $0.task.isSame(as: task) }) {
      let there = Set(map(\.task)).sorted { $0.precedes($1) }
      throw VPatchError(
        .refused, subject, "has no record of the task \"\(task.printable)\"",
        remedy: there.isEmpty ? "it has no records" : "records are of \(there.joined(separator: ", ").printable)")
    }
  }

  /// These and other records; a new record replaces one of the same measurement.
  package func adding(_ others: [ForgettingRecord]) -> [ForgettingRecord] {
    filter { old in !others.contains { $0.isSameMeasurement(as: old) } } + others
  }
}
