import Base
import Measure
import PatchFormat
import TestModels
import Testing

@testable import Report

@Suite("The pages of stacks and comparisons") struct StackPageTests {
  let scene: ReportScene

  init() throws { scene = try ReportScene() }

  private func stack(_ members: [(ReportedPatch, Double)], measured: ForgettingReport? = nil) throws -> StackReport {
    StackReport(
      name: "triage", version: 2,
      definition: try StackDefinition(members.map { ($0.0.patch, $0.1) }, method: .sum),
      members: members.map { .init($0.0, scale: $0.1) }, measured: measured)
  }

  @Test("nobody measured it: a prediction, that looks like one") func predicted() throws {
    let report = try stack([(scene.full("a"), 1), (scene.full("b2", TestModel.gateUp), 0.5)])
    #expect(report.forgetting.summary.status == .predicted)
    let html = report.html()
    #expect(html.contains("The numbers above are predicted from its members"))
    // Forgetting 1 + 0.5 · 1, learning (30 + 0.5 · 30) / 2.
    #expect(html.contains("<b>-1.5 <small>± 3.0 pp</small></b>") && html.contains("<b>+22.5 <small>"))
    #expect(html.count(of: "<g class=\"point") == 3 && html.contains("<g class=\"point k1 predicted\">"))
    #expect(html.contains("<td class=\"n\">0.5</td>"))
    // The members' own, folded: 4 records and 2 means each.
    #expect(html.count(of: "<details>") == 2 && html.count(of: "<tr class=\"frow") == 2 * 6)
    #expect(html.contains("Members by component") && html.contains("<body class=\"m-m\">"))
    #expect(report.json["members"]?.array?.count == 2)
    #expect(html == (try stack([(scene.full("a"), 1), (scene.full("b2", TestModel.gateUp), 0.5)])).html())
  }

  @Test("measured on its own bits: its records, and no word of a prediction") func measured() throws {
    let member = try scene.full("a")
    let report = try stack([(member, 0.5)], measured: member.forgetting)
    let html = report.html()
    #expect(!html.contains("predicted from its members") && !html.contains("pill predicted"))
    #expect(html.count(of: "<g class=\"point") == 2 && !html.contains("predicted\"><title>"))
  }

  @Test("a member that nobody measured leaves the stack unmeasured; no members at all") func unmeasured() throws {
    let html = try stack([(scene.full("a"), 1), (scene.patch("b2", TestModel.gateUp), 1)]).html()
    #expect(html.contains("so it cannot be predicted"))
    #expect(html.contains("Not drawn, since learning or the change on held-out tasks is unknown: b2, triage."))
    let empty = StackReport(
      name: "empty", definition: try StackDefinition(base: SHA256Hasher.hash("b"), members: []), members: [])
    #expect(empty.html().contains("The stack has no members."))
  }

  @Test("several side by side: a point for each that was measured, and a key") func comparison() throws {
    let (a, b, c) = (try scene.full("a"), try scene.patch("b2", TestModel.gateUp), try scene.full("c-3", ["q_proj"]))
    let report = ComparisonReport([.init(a), .init(b), .init(c), try stack([(a, 1)]).entry])
    let html = report.html()
    #expect(html.contains("<h1>a, b2 and 2 more</h1>"))
    #expect(html.count(of: "<g class=\"point") == 3 && html.contains("is unknown: b2."))
    #expect(html.contains("<span class=\"dot off\">2</span>"))
    #expect(html.contains("<title>a: learning +30.0 ± 2.0 pp, held-out tasks -1.0 ± 2.0 pp (measured)</title>"))
    #expect(report.json["compared"]?.array?.count == 4)
    let none = ComparisonReport([.init(b), .init(b)]).html()
    #expect(none.contains("Nothing to draw") && !none.contains("<svg") && !none.contains("Not drawn"))
  }

  @Test("whether the points compare: the same tasks, in the same way") func likeness() throws {
    let patch = try scene.full("a").patch
    func entry(_ target: String, _ heldOut: String, metric: String = "acc") -> ComparisonReport.Entry {
      .init(
        name: "x", identity: patch.identity, recipe: nil, bytes: nil, summary: .unmeasured,
        records: [
          ReportScene.record(patch, target, .target, before: 0, after: 0.5),
          ReportScene.record(patch, heldOut, .heldOut, before: 0.5, after: 0.5, metric: metric),
        ])
    }
    let first = entry("counting", "arc")
    let predicted = ComparisonReport.Entry(
      name: "s", identity: patch.identity, recipe: nil, bytes: nil, summary: .unmeasured, records: [])
    #expect(MemberComparison.likeness([first, first, predicted]).hasPrefix("All are comparable"))
    #expect(MemberComparison.likeness([first, entry("clock", "arc")]).contains("target tasks differ"))
    #expect(MemberComparison.likeness([first, entry("counting", "piqa")]).hasPrefix("Forgetting is not comparable"))
    #expect(MemberComparison.likeness([first, entry("clock", "arc", metric: "acc_norm")]).hasPrefix("Neither"))
    let html = ComparisonReport([.init(try scene.full("a")), .init(try scene.full("c-3", ["q_proj"]))]).html()
    #expect(html.contains("measured on the same tasks in the same way"))
  }
}
