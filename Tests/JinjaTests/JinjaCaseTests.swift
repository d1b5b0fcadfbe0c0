import Foundation
import Testing

/// What Jinja2 makes of expressions, statements and the chat templates of `fixtures/chat`, in `fixtures/jinja`.
struct JinjaCaseTests {
  private let comparison = JinjaComparison(
    folder: URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/jinja")

  @Test func expressionsAndStatementsAreThoseOfJinja2() throws {
    let count = try comparison.table()
    #expect(count.all > 1000 && count.refusals * 20 < count.all)
    for difference in count.differences { Issue.record("\(difference)") }
  }

  @Test func templatesAreThoseOfJinja2() throws {
    let (originals, mutations, changing) = try comparison.templates()
    #expect(originals.all > 100 && originals.refusals == 0)
    #expect(changing > 20 && mutations.refusals * 10 < mutations.all)
    for difference in originals.differences + mutations.differences { Issue.record("\(difference)") }
  }
}
