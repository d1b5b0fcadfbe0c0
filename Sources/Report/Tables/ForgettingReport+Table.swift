import Measure

extension ForgettingReport {
  /// - Parameter width: of the terminal; nil: as wide as the table.
  package func table(width: Int? = nil) -> String {
    // That all were measured is also what the summary below the table says.
    let isMeasured = foreign.isEmpty && records.allSatisfy { $0.status == .measured }
    var table = TextTable([
      .init("task"), .init("role"), .init("metric", rank: 4), .init("n", .right, rank: 3), .init("before", .right),
      .init("after", .right), .init("change", .right), .init("95 % interval", .right),
      .init("lost/won", .right, rank: 5), .init("p", .right, rank: 1), .init("status", rank: isMeasured ? 6 : 2),
    ])
    for record in records { table.add(Self.row(record, record.status.rawValue)) }
    for record in foreign { table.add(Self.row(record, "other model")) }
    return table.text(width: width)
  }

  private static func row(_ record: ForgettingRecord, _ status: String) -> [String] {
    [
      record.task, record.role.rawValue, record.metric, record.itemsText, record.beforeText,
      record.afterText, record.changeText, record.intervalText, record.flipsText, record.pText, status,
    ]
  }
}
