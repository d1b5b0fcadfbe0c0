import Catalogue
import Measure
import PatchFormat
import Report

extension ForgettingReport {
  /// Measured on exactly the stack's weights, else predicted from its members, number by number.
  init(ofStack stack: StackDefinition, _ store: Store) throws {
    let members = try stack.members.map { ($0.scale, try store.stored($0.identity)?.summary ?? .unmeasured) }
    let predicted = ForgettingSummary.predicted(members: members)
    self = try Self.measured(ofStack: stack, store)?.completed(by: predicted) ?? ForgettingReport(predicted: predicted)
  }

  /// What was measured on exactly the stack's weights: the records of its composite; nil if there are none.
  static func measured(ofStack stack: StackDefinition, _ store: Store) throws -> ForgettingReport? {
    guard let composite = try store.composite(stackIdentity: stack.identity), try store.path(of: composite) != nil
    else { return nil }
    let report = try ForgettingReport(store.patch(composite))
    return report.records.isEmpty ? nil : report
  }

  /// For `annotate` and `show`.
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

  private static func row(_ record: ForgettingRecord, _ status: String) -> [String] {
    [
      record.task, record.role.rawValue, record.metric, record.itemsText, record.beforeText,
      record.afterText, record.changeText, record.intervalText, record.flipsText, record.pText, status,
    ]
  }
}
