import Base
import Foundation
import Jinja
import Testing

@testable import Text

/// What is learned of conversations, beside what transformers says; opt in with `VPATCH_LESSONS=FOLDER`, which
/// `bench/lesson_cases.py` has written.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_LESSONS"] != nil))
struct LessonComparisonTests {
  /// The date that `bench/jinja_cases.py` has.
  private static let now = CivilTime(year: 2026, month: 7, day: 4, hour: 15, minute: 6, second: 9, microsecond: 42)

  private let folder: String
  private let tokenizer: Tokenizer
  private let rows: [Result<Row, any Error>]

  init() throws {
    folder = try #require(ProcessInfo.processInfo.environment["VPATCH_LESSONS"])
    tokenizer = try Tokenizer(folder: "\(folder)/model")
    rows = try Self.read("\(folder)/rows.json").array!.map { json in Result { try Row(json) } }
  }

  private static func read(_ path: String) throws -> JSON {
    try JSON.parse(Array(try Data(contentsOf: URL(filePath: path))), maximumDepth: 64)
  }

  /// Outcomes, counted.
  private struct Count {
    private(set) var same = 0
    /// Where there is nothing to learn, or transformers has no answer either.
    private(set) var bothRefuse = 0
    /// For the template, and for what the row says: tools that the template does not write, an answer without words.
    private(set) var (refusals, refusalsOfRows): ([String: Int], [String: Int]) = ([:], [:])
    private(set) var differences: [String] = []

    var all: Int { same + bothRefuse + refused + refusedRows + differences.count }
    var refusedRows: Int { refusalsOfRows.values.reduce(0, +) }
    var refused: Int { refusals.values.reduce(0, +) }

    mutating func add(_ made: Result<[[[Int]]], any Error>, _ expected: JSON, _ name: String) {
      let wanted = expected.array?.map { $0.array!.map { $0.array!.map { $0.int! } } }
      switch (made, wanted) {
      case (.failure, nil): bothRefuse += 1
      case (.failure(let error), _?):
        let reason = ((error as? RowError)?.reason ?? (error as? VPatchError)?.reason ?? "\(error)")
          .replacing(/[0-9]+/, with: "N")
        if reason.contains("which the model's chat template does not render") || reason.contains("an empty answer") {
          refusalsOfRows[reason, default: 0] += 1
        } else {
          refusals[reason, default: 0] += 1
        }
      case (.success(let made), let wanted?) where made == wanted: same += 1
      case (.success(let made), let wanted):
        differences.append("\(name): \(Self.difference(made, wanted))")
      }
    }

    private static func difference(_ made: [[[Int]]], _ wanted: [[[Int]]]?) -> String {
      guard let wanted else { return "made \(made.count) examples, where transformers has nothing to be learned" }
      guard made.count == wanted.count else { return "\(made.count) examples for \(wanted.count)" }
      for (i, (one, other)) in zip(made, wanted).enumerated() where one != other {
        for (name, a, b) in [("ids", one[0], other[0]), ("masks", one[1], other[1])] where a != b {
          let at = zip(a, b).prefix { $0 == $1 }.count
          return "example \(i): \(name) differ at \(at) of \(a.count), \(b.count): "
            + "\(a[at...].prefix(8)) for \(b[at...].prefix(8))"
        }
      }
      return "the same"
    }

    func report(_ name: String) {
      print("\(name): \(all) cases, \(same) the same, \(differences.count) differ, \(bothRefuse) refused by both,")
      print("  \(refused) refused for the template, \(refusedRows) for the row:")
      for refusals in [refusals, refusalsOfRows] {
        for (reason, count) in refusals.sorted(by: { $0.value > $1.value }) { print("  \(count) \(reason)") }
      }
      for difference in differences.prefix(40) { print("  \(difference)") }
    }
  }

  private func encoder(_ source: String) throws -> RowEncoder {
    let template = try ChatTemplate(
      TemplateSource(name: "template", text: source), tokenizer.named, tokenizer.added, .init(date: Self.now))
    return RowEncoder(
      rules: DataRules(vocabulary: 1 << 20), text: ModelText(tokenizer: tokenizer, template: template))
  }

  /// Each example's ids, and which of them are learned.
  private func made(_ encoder: Result<RowEncoder, any Error>, _ row: Int) -> Result<[[[Int]]], any Error> {
    Result {
      try encoder.get().encode(rows[row].get()).examples.map { encoded in
        [encoded.example.ids.map { Int($0) }, encoded.example.labels.map { $0 == Example.ignored ? 0 : 1 }]
      }
    }
  }

  @Test func whatIsLearnedIsWhatTransformersSays() throws {
    var (originals, mutations) = (Count(), Count())
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    where name.hasSuffix(".json") && name != "rows.json" {
      let file = try Self.read("\(folder)/\(name)")
      let encoder = Result { try self.encoder(file["source"]!.string!) }
      for (i, expected) in file["cases"]!.array!.enumerated() {
        originals.add(made(encoder, i), expected, "\(name), row \(i)")
      }
      for (i, mutation) in file["mutations"]!.array!.enumerated() {
        let encoder = Result { try self.encoder(mutation["source"]!.string!) }
        for pair in mutation["cases"]!.array! {
          let row = pair.array![0].int!
          mutations.add(made(encoder, row), pair.array![1], "\(name), mutation \(i), row \(row)")
        }
      }
    }
    originals.report("templates as they are")
    mutations.report("changed templates")
    #expect(originals.all > 1000 && originals.differences.isEmpty && mutations.differences.isEmpty)
    #expect(originals.refused * 20 <= originals.all && mutations.refused * 10 <= mutations.all)
  }
}
