import Apply
import Catalogue
import Measure
import PatchFormat

/// What a patch's annotations say of its forgetting: for `annotate`, `gate` and `show`.
struct ForgettingReport {
  /// Those that speak of the patch's base and target.
  let records: [ForgettingRecord]
  /// Those of other models: a patch that was rebased still has its old ones.
  let foreign: [ForgettingRecord]
  let summary: ForgettingSummary

  init(_ records: [ForgettingRecord], of patch: Patch) {
    self.records = records.filter { $0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    foreign = records.filter { !$0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    summary = ForgettingSummary(records: self.records)
  }

  /// Records that were made just now.
  init(_ records: [ForgettingRecord]) {
    self.records = records
    foreign = []
    summary = ForgettingSummary(records: records)
  }

  /// Measured on exactly the stack's bits, else predicted from its members.
  init(ofStack stored: StoredStack, _ store: Store) throws {
    if let composite = try store.composite(stackIdentity: stored.definition.identity),
      try store.path(of: composite) != nil
    {
      let report = try ForgettingReport(store.patch(composite))
      if report.summary.status != .unmeasured {
        self = report
        return
      }
    }
    records = []
    foreign = []
    summary = .predicted(
      members: try stored.definition.members.map { member in
        (member.scale, try store.stored(member.identity)?.summary ?? .unmeasured)
      })
  }

  /// - Throws: `invalid` where a record is malformed.
  init(_ patch: Patch) throws {
    self.init(try [ForgettingRecord](annotations: patch.annotations, subject: patch.label), of: patch)
  }

  /// "forgetting …"; "learning …" and "drift …" where they are known.
  var lines: [(key: String, value: String)] {
    var lines = [("forgetting", summary.forgettingText)]
    if summary.learning != nil { lines.insert(("learning", summary.learningText), at: 0) }
    if let drift = summary.drift { lines.append(("drift", "KL \(Format.plain(drift)) nats from the base")) }
    if !foreign.isEmpty {
      lines.append(("records", "\(Format.counted(foreign.count, "record")) of other models, not counted"))
    }
    return lines
  }

  func table() -> String {
    var table = TextTable([
      .init("task"), .init("role"), .init("metric"), .init("n", .right), .init("before", .right),
      .init("after", .right), .init("change", .right), .init("95 % interval", .right), .init("lost/won", .right),
      .init("p", .right), .init("status"),
    ])
    for record in records { table.add(Self.row(record, record.status.rawValue)) }
    for record in foreign { table.add(Self.row(record, "other model")) }
    return table.text()
  }

  /// A metric's value as tables have it.
  static func value(_ value: Double, _ unit: MeasurementUnit) -> String {
    unit == .share || unit == .probability ? Format.fixed(value * 100, 1) + "%" : Format.significant(value)
  }

  private static func row(_ record: ForgettingRecord, _ status: String) -> [String] {
    let isShare = record.unit == .share || record.unit == .probability
    func change(_ change: Double) -> String {
      isShare
        ? Format.signed(change * 100, 1) : (change > 0 ? "+" : "") + Format.significant(change)
    }
    return [
      record.task, record.role.rawValue, record.metric, Format.grouped(record.items), value(record.before, record.unit),
      value(record.after, record.unit), change(record.change),
      record.interval.map { "\(change($0.low)) … \(change($0.high))" } ?? "–",
      record.flips.map { "\(Format.grouped($0.lost))/\(Format.grouped($0.won))" } ?? "–",
      record.pValue.map { $0 < 0.001 ? "< 0.001" : Format.fixed($0, 3) } ?? "–", status,
    ]
  }

  var json: JSON {
    .object(
      (summary.json.object ?? []) + [
        JSON.Member("records", .array(records.map(\.json))),
        JSON.Member("records_of_other_models", .array(foreign.map(\.json))),
      ])
  }
}
