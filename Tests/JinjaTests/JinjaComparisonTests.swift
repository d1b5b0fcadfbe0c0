import Foundation
import Testing

/// Many more templates and conversations, written by `bench/jinja_cases.py`; opt in with `VPATCH_JINJA=FOLDER`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_JINJA"] != nil))
struct JinjaComparisonTests {
  private let comparison: JinjaComparison

  init() throws {
    comparison = JinjaComparison(folder: try #require(ProcessInfo.processInfo.environment["VPATCH_JINJA"]))
  }

  @Test func expressionsAndStatementsAreThoseOfJinja2() throws {
    let count = try comparison.table()
    count.report("expressions and statements")
    #expect(count.all > 10_000 && count.differences.isEmpty)
  }

  @Test func templatesAreThoseOfJinja2() throws {
    let (originals, mutations, changing) = try comparison.templates()
    originals.report("templates as they are")
    mutations.report("changed templates, of which \(changing) give another text,")
    #expect(originals.differences.isEmpty && mutations.differences.isEmpty)
    #expect(originals.refusals * 20 <= originals.all && mutations.refusals * 10 <= mutations.all)
  }
}
