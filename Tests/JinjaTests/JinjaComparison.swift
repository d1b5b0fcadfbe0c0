import Base
import Foundation
import Jinja

/// What vpatch makes of the cases in a folder that `bench/jinja_cases.py` has written.
struct JinjaComparison {
  /// Outcomes, counted.
  struct Count {
    private(set) var all = 0
    private(set) var differences: [String] = []
    private(set) var refusals = 0
    private var reasons: [String: Int] = [:]

    mutating func add(_ outcome: JinjaCase.Outcome, _ name: String) {
      all += 1
      switch outcome {
      case .same: return
      case .refused(let reason):
        refusals += 1
        reasons[reason, default: 0] += 1
      case .different(let reason): differences.append("\(name): \(reason)")
      }
    }

    func report(_ name: String) {
      print("\(name): \(all) cases, \(differences.count) differ, \(refusals) refused")
      for difference in differences.prefix(40) { print("  \(difference)") }
      for (reason, count) in reasons.sorted(by: { $0.value > $1.value }).prefix(30) { print("  \(count) \(reason)") }
    }
  }

  private let folder: String

  init(folder: String) { self.folder = folder }

  private func read(_ name: String) throws -> JSON {
    try JSON.parse(Array(try Data(contentsOf: URL(filePath: "\(folder)/\(name)"))), maximumDepth: 64)
  }

  /// Expressions and statements.
  func table() throws -> Count {
    var lines = try Data(contentsOf: URL(filePath: "\(folder)/table.jsonl")).split(separator: 0x0A).map {
      try JSON.parse(Array($0))
    }
    let context = try JinjaCase.context(lines.removeFirst())
    var count = Count()
    for line in lines {
      let one = JinjaCase(source: line.array![0].string!, line.array![1])
      count.add(one.outcome(context), one.source)
    }
    return count
  }

  /// Templates as they are, changed ones, and how many of these give another text.
  func templates() throws -> (originals: Count, mutations: Count, changing: Int) {
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
    return (originals, mutations, changing)
  }
}
