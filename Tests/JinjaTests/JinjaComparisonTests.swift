import Foundation
import Jinja
import PatchFormat
import Testing

/// Many more templates and conversations, written by `bench/jinja_cases.py`; opt in with `VPATCH_JINJA=FOLDER`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_JINJA"] != nil))
struct JinjaComparisonTests {
  private let folder: String

  init() throws { folder = try #require(ProcessInfo.processInfo.environment["VPATCH_JINJA"]) }

  private func read(_ name: String) throws -> JSON {
    try JSON.parse(Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)"))), maximumDepth: 64)
  }

  @Test func expressionsAreThoseOfJinja2() throws {
    let (context, cases) = try JinjaCase.table(path: "\(folder)/table.jsonl")
    var count = Count()
    for one in cases { count.add(one.outcome(context), one.source) }
    count.report("expressions and statements")
    #expect(count.differences == 0)
  }

  @Test func templatesAreThoseOfJinja2() throws {
    let contexts = try read("contexts.json").array!.map { try JinjaCase.context($0) }
    var (originals, mutations) = (Count(), Count())
    var changing = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    where name.hasSuffix(".json") && name != "contexts.json" {
      let file = try read(name)
      let source = file["source"]!.string!
      let template = Result { () throws(TemplateError) in try Template(source) }
      for (i, expected) in file["cases"]!.array!.enumerated() {
        originals.add(JinjaCase(source: source, expected).outcome(template, contexts[i]), "\(name), conversation \(i)")
      }
      for (i, mutation) in file["mutations"]!.array!.enumerated() {
        if mutation["differs"]!.bool! { changing += 1 }
        let source = mutation["source"]!.string!
        let template = Result { () throws(TemplateError) in try Template(source) }
        for pair in mutation["cases"]!.array! {
          let context = pair.array![0].int!
          let outcome = JinjaCase(source: source, pair.array![1]).outcome(template, contexts[context])
          mutations.add(outcome, "\(name), mutation \(i), conversation \(context)")
        }
      }
    }
    originals.report("templates as they are")
    mutations.report("changed templates, of which \(changing) give another text,")
    #expect(originals.differences == 0 && mutations.differences == 0)
    #expect(originals.refusals * 20 <= originals.all && mutations.refusals * 10 <= mutations.all)
  }
}

/// Outcomes, counted.
private struct Count {
  private(set) var all = 0
  private(set) var differences = 0
  private(set) var refusals = 0
  private var reasons: [String: Int] = [:]

  mutating func add(_ outcome: JinjaCase.Outcome, _ name: String) {
    all += 1
    switch outcome {
    case .same: return
    case .refused(let reason):
      refusals += 1
      reasons[reason, default: 0] += 1
    case .different(let reason):
      differences += 1
      if differences <= 40 { print("  \(name): \(reason)") }
    }
  }

  func report(_ name: String) {
    print("\(name): \(all) cases, \(differences) differ, \(refusals) refused")
    for (reason, count) in reasons.sorted(by: { $0.value > $1.value }).prefix(30) { print("  \(count) \(reason)") }
  }
}
