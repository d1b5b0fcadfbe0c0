import Base
import Testing

@testable import Measure

@Suite("Training records") struct TrainingRecordTests {
  private var full: TrainingRecord {
    var record = TrainingRecord(
      tuned: .recipe("sa-proj"), layers: "0-5",
      data: [
        .init(
          name: "counting.jsonl", digest: SHA256Hasher.hash("rows"), rows: 1200, tokens: 84_012, answerTokens: 31_207,
          cut: 3)
      ],
      settings: [
        JSON.Member("lr", JSON(2e-5)), JSON.Member("schedule", .string("cosine")), JSON.Member("max_drift", JSON(0.02)),
      ],
      kernels: "OpenBLAS 0.3.21 SkylakeX", steps: 150, tokens: 84_012, seconds: 181.2, tokensPerSecond: 463.6,
      stopped: "max-drift",
      curve: TrainingCurve(steps: [1, 2, 150], losses: [2.31, 2.28, 0.842], rates: [1e-6, 2e-6, 0]),
      drift: DriftCurve([
        .init(step: 0, drift: Estimate(0, low: 0, high: 0)),
        .init(step: 150, drift: Estimate(0.021, low: 0.018, high: 0.024)),
      ]))
    record.others = [JSON.Member("of a later version", .array([.null]))]
    return record
  }

  @Test("what is written is read again, and what is not known is kept") func roundTrip() throws {
    var bare = full
    bare.tuned = .only(".*q_proj.weight")
    (bare.layers, bare.stopped, bare.drift, bare.data, bare.settings) = (nil, nil, nil, [], [])
    for record in [full, bare] {
      let text = record.json.compact()
      let again = try TrainingRecord(json: JSON.parse(text))
      #expect(again == record)
      #expect(again.json.compact() == text)
    }
    #expect(full.driftBudget == 0.02 && bare.driftBudget == nil)
    let annotations = full.replacing(in: .dictionary(["name": .string("x")]))
    #expect(annotations.object?.map(\.key) == ["name", "training"])
    #expect(try TrainingRecord(annotations: annotations, subject: "a") == full)
    #expect(try TrainingRecord(annotations: JSON.parse("{}"), subject: "a") == nil)
    #expect(try TrainingRecord(annotations: JSON.parse(#"{"training":null}"#), subject: "a") == nil)
  }

  @Test(
    "each rule, broken",
    arguments: [
      ("recipe", "null", "does not have exactly one of"), ("only", "\"x\"", "does not have exactly one of"),
      ("recipe", "3", "has a \"recipe\" that is not a string"),
      ("layers", "5", "has a \"layers\" that is not a string"),
      ("data", "{}", "has a \"data\" that is not a list"), ("data", "[3]", "has data without a digest"),
      ("data", #"[{"sha256":"7e"}]"#, "has a \"sha256\" that is not a SHA-256 digest"),
      ("kernels", "\"\"", "has an empty \"kernels\""),
      ("settings", #"{"betas":[0.9]}"#, "not plain values"), ("settings", "null", "not plain values"),
      ("steps", "0", "has a \"steps\" that is not an integer from 1 to"),
      ("tokens", "-1", "has a \"tokens\" that is not an integer from 0 to"),
      ("tokens", "1000000000000001", "has a \"tokens\" that is not an integer from 0 to"),
      ("seconds", "1e999", "has a \"seconds\" that is not a finite number"),
      ("seconds", "-1", "negative time"), ("tokens_per_second", "-0.5", "negative time or speed"),
      ("stopped", "[]", "has a \"stopped\" that is not a string"), ("curve", "null", "has no curve"),
      ("curve", "[]", "has no \"step\""),
      ("curve", #"{"step":[2,2],"loss":[1,1],"lr":[1,1]}"#, "has a \"step\" that is not an ascending list"),
      ("curve", #"{"step":[0,1],"loss":[1,1],"lr":[1,1]}"#, "a curve that begins at step 0"),
      ("curve", #"{"step":[1,2],"loss":[1],"lr":[1,1]}"#, "differ in length"),
      ("curve", #"{"step":[1],"loss":["1"],"lr":[1]}"#, "has a \"loss\" that is not a list of finite numbers"),
      ("curve", #"{"step":[1],"loss":[1e999],"lr":[1]}"#, "has a \"loss\" that is not a list of finite numbers"),
      ("drift", #"{"step":[0],"kl":[0],"low":[0]}"#, "has no \"high\""),
      ("drift", #"{"step":[0],"kl":[0],"low":[0],"high":[]}"#, "differ in length"),
      ("drift", #"{"step":[0],"kl":[1],"low":[0],"high":[0.5]}"#, "outside its interval"),
    ])
  func rules(key: String, value: String, reason: String) throws {
    let annotations = JSON.dictionary(["training": full.json.setting(key, to: try JSON.parse(value))])
    let error = Records.refusal { _ = try TrainingRecord(annotations: annotations, subject: "a.vpatch") }
    #expect(error?.code == .invalid)
    #expect(error?.description.contains("a.vpatch: has a training record that ") == true)
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "accepted")")
  }

  @Test("counts of a data set that contradict each other") func dataSets() throws {
    let set = full.json["data"]!.array![0]
    for (key, value, reason) in [("answer_tokens", 84_013, "more answer tokens"), ("cut", 1201, "more cut rows")] {
      let annotations = JSON.dictionary([
        "training": full.json.setting("data", to: .array([set.setting(key, to: JSON(value))]))
      ])
      let error = Records.refusal { _ = try TrainingRecord(annotations: annotations, subject: "a") }
      #expect(error?.reason.contains(reason) == true)
    }
    #expect(
      Records.refusal { _ = try TrainingRecord(annotations: .dictionary(["training": JSON(3)]), subject: "a") } != nil)
  }

  @Test("a curve is thinned by means that weigh every step alike") func thinning() {
    let curve = TrainingCurve(
      steps: Array(1...10), losses: (1...10).map(Double.init), rates: (1...10).map { Double($0) / 10 })
    let thin = curve.thinned(to: 5)
    #expect(
      thin
        == TrainingCurve(steps: [2, 4, 6, 8, 10], losses: [1.5, 3.5, 5.5, 7.5, 9.5], rates: [0.2, 0.4, 0.6, 0.8, 1]))
    #expect(curve.thinned(to: 10) == curve)
    #expect(curve.thinned(to: 3).steps == [3, 6, 10])
    // Points that stand for several steps weigh as many.
    let uneven = TrainingCurve(steps: [3, 4], losses: [1, 5], rates: [0, 0]).thinned(to: 1)
    #expect(uneven == TrainingCurve(steps: [4], losses: [2], rates: [0]))
    let drift = DriftCurve((0...9).map { .init(step: $0, drift: Estimate(0, low: 0, high: 0)) })
    #expect(drift.thinned(to: 4).points.map(\.step) == [0, 3, 6, 9])
  }

  @Test("what a person reads of it") func text() {
    #expect(
      full.lines.map { "\($0.key): \($0.value)" } == [
        "trained: sa-proj of layers 0-5 in 150 steps, 84,012 tokens in 3 min 1 s, 464 a second",
        "on: counting.jsonl: 1,200 rows, 84,012 tokens, 31,207 of them answers, 3 rows cut",
        "with: lr 2e-05, schedule cosine, max_drift 0.02", "kernels: OpenBLAS 0.3.21 SkylakeX", "loss: 2.31 → 0.842",
        "drifted: KL 0.0210 nats per token at step 150, budget 0.02", "stopped: before its end: max-drift",
      ])
    #expect(
      [0.42, 59.9, 60, 3599.6, 7500].map(Format.duration) == [
        "0.420 s", "59.9 s", "1 min 0 s", "1 h 0 min", "2 h 5 min",
      ])
  }
}
