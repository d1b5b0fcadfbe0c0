import Measure

extension ForgettingReport {
  /// For `annotate` and `show`.
  package func table() -> String {
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
