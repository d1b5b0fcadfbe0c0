import Base
import Measure
import TestModels
import Testing

@testable import Evaluate

@Suite("Records of evaluations") struct RecordTests {
  private let reference = SHA256Hasher.hash("base")
  private let measured = SHA256Hasher.hash("tuned")

  /// Two of each kind's items, or a few more.
  private var suite: Evaluate.Suite {
    func prompts(_ count: Int) -> [EvaluationItem] {
      (0..<count).map { EvaluationItem(.prompt("item \($0)"), answers: ["3"], choices: ["a", "b"], correct: [$0 % 2]) }
    }
    let texts = ["some text", "more of the text", "the end"].map { EvaluationItem(.text($0)) }
    var short = ExactMatchTask()
    (short.maximumTokens, short.stop) = (3, ["\n"])
    var mass = MassTask()
    mass.maximumTokens = 3
    return Evaluate.Suite(
      name: "s",
      tasks: [
        EvaluationTask(name: "text", role: .heldOut, kind: PerplexityTask(), items: texts),
        EvaluationTask(name: "choice", role: .heldOut, kind: MultipleChoiceTask(), items: prompts(20)),
        EvaluationTask(name: "match", role: .target, kind: short, items: prompts(4)),
        EvaluationTask(name: "drift", role: .heldOut, kind: DivergenceTask(), items: texts),
        EvaluationTask(name: "numbers", role: .probe, kind: mass, items: prompts(3)),
      ])
  }

  private func evaluation() -> Evaluation {
    var evaluation = Evaluation(suite, tokenizer: FakeTokenizer())
    evaluation.settings = [JSON.Member("compute", "f32")]
    return evaluation
  }

  private func both() throws -> (before: SuiteResults, after: SuiteResults) {
    let (base, tuned) = (FakeModel(), FakeModel(seed: 5))
    return (
      try evaluation().results(of: base, name: "base", root: reference, against: .itself),
      try evaluation().results(of: tuned, name: "tuned", root: measured, against: .base(base, root: reference))
    )
  }

  @Test("a record for every task, bound to both models' bits") func records() throws {
    let (before, after) = try both()
    let outcome = try Evaluation.records(
      before: before.results(path: "before"), reference: reference, after: after.results(path: "after"),
      measured: measured)
    let records = outcome.records
    #expect(outcome.notes.isEmpty)
    #expect(records.map(\.task) == ["text", "choice", "choice", "match", "drift", "numbers"])
    #expect(records.map(\.metric) == ["perplexity", "acc_norm", "acc", "exact_match", "kl", "mass"])
    #expect(records.map(\.role) == [.heldOut, .heldOut, .probe, .target, .heldOut, .probe])
    #expect(records.map(\.items) == [3, 20, 20, 4, 3, 3])
    #expect(
      records.map(\.interval?.method) == [
        .weightedDifferences, .bonettPrice, .bonettPrice, .bonettPrice, .weightedDifferences, .pairedDifferences,
      ])
    #expect(records.map { $0.flips != nil } == [false, true, true, true, false, false])
    #expect(records[4].before == 0 && records[4].after > 0)
    let summary = ForgettingSummary(records: records)
    #expect(summary.status == .measured)
    #expect(summary.drift == records[4].after)
    #expect(summary.forgettingItems == 20)
    for record in records {
      #expect(record.reference == reference && record.measured == measured)
      #expect(record.evaluator == .init(name: "vpatch", version: vpatchVersion))
      #expect(record.probeSet == suite.tasks.first { $0.name == record.task }!.probeSet)
      #expect(record.settings.contains(JSON.Member("compute", "f32")))
      #expect(record.settings.contains(JSON.Member("tokenizer", "fake")))
    }
    #expect(records[3].settings.contains(JSON.Member("stop", .string(#"["\n"]"#))))
    // They are records of the format: written and read back, nothing is lost.
    let annotations = records.replacing(in: .object([]))
    #expect(try [ForgettingRecord](annotations: JSON.parse(annotations.compact()), subject: "p") == records)
  }

  @Test("results written and read again are the same records") func files() throws {
    let folder = try TestFolder()
    let (before, after) = try both()
    try before.write(to: folder["before"])
    try after.write(to: folder["after"])
    func records(_ a: EvaluationResults, _ b: EvaluationResults) throws -> [ForgettingRecord] {
      try Evaluation.records(before: a, reference: reference, after: b, measured: measured).records
    }
    #expect(
      try records(EvaluationResults(path: folder["before"]), EvaluationResults(path: folder["after"]))
        == records(before.results(path: "before"), after.results(path: "after")))
  }

  @Test("other settings, other items, another base are not compared") func unlike() throws {
    let (before, after) = try both()
    func refusal(_ after: SuiteResults, reference: ContentDigest? = nil, measured: ContentDigest? = nil) -> String? {
      do {
        _ = try Evaluation.records(
          before: before.results(path: "before"), reference: reference ?? self.reference,
          after: after.results(path: "after"), measured: measured ?? self.measured)
      } catch { return (error as? VPatchError)?.reason }
      return nil
    }
    #expect(refusal(after) == nil)
    #expect(refusal(after, reference: measured)?.contains("is of a model with the root") == true)
    var other = evaluation()
    other.settings = [JSON.Member("compute", "bf16")]
    let bf16 = try other.results(of: FakeModel(seed: 5), name: "tuned", root: measured, against: .none)
    #expect(refusal(bf16) == "has compute f32 in before and bf16 in after")
    let elsewhere = try evaluation().results(
      of: FakeModel(seed: 5), name: "tuned", root: measured, against: .base(FakeModel(), root: measured))
    #expect(refusal(elsewhere)?.contains("has a divergence from a model with the root") == true)
  }

  @Test("a divergence without a base is left out, and said") func noBase() throws {
    let results = try evaluation().results(of: FakeModel(), name: "m", root: nil, against: .none)
    #expect(!results.entries.contains { $0.task == "drift" })
    #expect(results.notes == ["drift was left out: it measures the divergence from a base, and none is given"])
  }
}
