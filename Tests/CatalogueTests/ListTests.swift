import Base
import GRDB
import Measure
import PatchFormat
import Testing

@testable import Catalogue

@Suite("Listing a store") struct ListTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  let ids: [ContentDigest]

  //   0 ──1── 1 ──2── 2       1: counting   2: clock
  //   0 ──3── 3               3: other
  init() throws {
    fixture = try StoreFixture()
    ids = [
      try fixture.added(from: 0, to: 1, name: "counting", recipe: "sa-proj"),
      try fixture.added(from: 1, to: 2, name: "clock", recipe: "sa-proj"),
      try fixture.added(from: 0, to: 3, name: "other", recipe: "mlp"),
    ]
  }

  private func list(_ change: (inout PatchFilter) -> Void) throws -> [ContentDigest] {
    var filter = PatchFilter()
    change(&filter)
    let found = try store.patches(filter)
    if filter.limit == nil { #expect(try store.count(filter) == found.count) }
    return found.map(\.identity)
  }

  @Test("the newest first; filters alone and together") func filters() throws {
    #expect(try list { _ in } == ids.reversed())
    let base = try #require(try store.stored(ids[0])).base
    #expect(try list { $0.base = base } == [ids[2], ids[0]])
    #expect(try list { $0.recipe = "sa-proj" } == [ids[1], ids[0]])
    #expect(try list { ($0.base, $0.recipe) = (base, "sa-proj") } == [ids[0]])
    #expect(try list { $0.name = "LOCK" } == [ids[1]])
    #expect(try list { $0.name = "%" } == [])
    #expect(try list { $0.name = "_" } == [])
    #expect(try list { $0.limit = 1 } == [ids[2]])
    try store.tag(ids[2], ["x"])
    try store.tag(ids[0], ["x", "y"])
    #expect(try list { $0.tag = "x" } == [ids[2], ids[0]])
    #expect(try list { ($0.tag, $0.recipe) = ("x", "mlp") } == [ids[2]])
    #expect(try list { $0.tag = "z" } == [])
    #expect(try list { $0.isMeasured = true } == [])
    #expect(try list { $0.isMeasured = false } == ids.reversed())
    #expect(try list { $0.maximumDrift = 1 } == [])
  }

  @Test("what was measured comes back as it was, and can be filtered by") func measured() throws {
    try store.write { db in
      try db.execute(
        sql: """
          UPDATE patches SET status = 'measured', learning = 4.5, learning_low = 3, learning_high = 6,
            learning_items = 500, forgetting = -0.25, forgetting_low = -1, forgetting_high = 0.5,
            forgetting_items = 2000, drift = 0.01, learning_status = NULL, forgetting_status = 'reported',
            drift_status = 'measured' WHERE identity = ?
          """, arguments: [ids[0].data])
      try db.execute(
        sql: "UPDATE patches SET status = 'reported', drift = 0.02 WHERE identity = ?", arguments: [ids[1].data])
    }
    let summary = ForgettingSummary(
      status: .measured, known: .init(learning: .measured, forgetting: .reported, drift: .measured),
      learning: Estimate(4.5, low: 3, high: 6), forgetting: Estimate(-0.25, low: -1, high: 0.5),
      learningItems: 500, forgettingItems: 2000, drift: 0.01)
    #expect(try store.stored(ids[0])?.summary == summary)
    #expect(try list { $0.isMeasured = true } == [ids[0]])
    #expect(try list { $0.isMeasured = false } == [ids[2], ids[1]])
    #expect(try list { $0.maximumDrift = 0.01 } == [ids[0]])
    #expect(try list { $0.maximumDrift = 0.05 } == [ids[1], ids[0]])
    #expect(try list { ($0.maximumDrift, $0.isMeasured) = (0.05, false) } == [ids[1]])
  }

  @Test("an alias is searched too") func alias() throws {
    try store.alias("triage/main", ids[1])
    #expect(try list { $0.name = "age/" } == [ids[1]])
    #expect(try store.stored(ids[1])?.aliases == ["clock", "triage/main"])
  }

  @Test("composites and undos are shown when asked for") func derived() throws {
    let composite = try fixture.added(to: 9, kind: .composite)
    #expect(try list { _ in } == ids.reversed())
    #expect(try list { $0.includesDerived = true } == [composite] + ids.reversed())
  }

  // MARK: Lineage

  private func graph(_ lines: [Lineage.Line]) -> [String] {
    lines.map { line in
      switch line.node {
      case .base: line.graph + "base"
      case .patch(let patch): line.graph + (patch.label ?? "?")
      case .stack(let stack): line.graph + "\(stack.name) v\(stack.version)"
      }
    }
  }

  @Test("bases, chains below one another, siblings and stacks as branches") func lineage() throws {
    let base = try #require(try store.stored(ids[0])).base
    try fixture.added(from: 2, to: 4, name: "dates")
    try fixture.added(from: 7, to: 8, name: "elsewhere")
    _ = try store.saveStack(
      name: "both", definition: StackDefinition(base: base, members: [.init(ids[0]), .init(ids[2])]))
    #expect(
      Set([graph(try store.lineage().lines())].flatMap { $0 }.prefix(6))
        == ["○ base", "├─● counting", "│ ● clock", "│ ● dates", "├─● other", "└─◆ both v1"])
    #expect(graph(try store.lineage().lines()).suffix(2) == ["○ base", "└─● elsewhere"])
    #expect(
      graph(try store.lineage(around: ids[1]).lines()) == [
        "○ base", "├─● counting", "│ ● clock", "│ ● dates", "└─◆ both v1",
      ])
    #expect(
      graph(try store.lineage().lines(from: #require(try store.stored(ids[1])).base)) == [
        "○ base", "└─● clock", "  ● dates",
      ])
  }

  @Test("patches that make each other in a circle are drawn once each") func circle() throws {
    try fixture.added(from: 2, to: 0, name: "back")
    let drawn = graph(try store.lineage().lines())
    #expect(drawn.count == 5 && Set(drawn.map { $0.split(separator: " ").last }).count == 5)
  }
}
