import Foundation
import Jinja
import PatchFormat
import Testing

/// What Jinja2 makes of expressions and statements, in `fixtures/jinja`.
struct JinjaCaseTests {
  @Test func expressionsAndStatementsAreThoseOfJinja2() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/jinja/cases.jsonl"
    let (context, cases) = try JinjaCase.table(path: path)
    #expect(cases.count > 1000)
    var refused = 0
    for one in cases {
      switch one.outcome(context) {
      case .same: break
      case .refused: refused += 1
      case .different(let reason): Issue.record("\(one.source): \(reason)")
      }
    }
    #expect(refused * 10 < cases.count)
  }
}
