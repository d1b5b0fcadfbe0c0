import Base
import Testing

@testable import Measure

@Suite("Forgetting records") struct RecordTests {
  private var full: ForgettingRecord {
    var record = ForgettingRecord(
      task: "arc_easy", metric: "acc_norm", role: .target, unit: .share, higherIsBetter: true, items: 1000,
      before: 0.61, after: 0.591, interval: Interval(low: -0.035, high: -0.003, .bonettPrice),
      flips: Flips(lost: 41, won: 22), reference: Records.base, measured: Records.tuned,
      probeSet: SHA256Hasher.hash("items"), evaluator: .init(name: "lm-evaluation-harness", version: "0.4.13"),
      settings: [JSON.Member("n_shot", JSON(5))], date: "2026-11-22T10:00:00Z",
      sourceBefore: .init(digest: SHA256Hasher.hash("a"), model: "base"),
      sourceAfter: .init(digest: SHA256Hasher.hash("b"), model: nil))
    record.others = [JSON.Member("of a later version", .array([.null]))]
    return record
  }

  @Test("what is written is read again, and what is not known is kept") func roundTrip() throws {
    let bare = Records.record(unit: .perplexity, before: 22.9, after: 23.29, half: nil, measured: nil)
    for record in [full, bare] {
      let text = record.json.compact()
      let again = try ForgettingRecord(json: JSON.parse(text))
      #expect(again == record)
      #expect(again.json.compact() == text)
    }
    #expect(full.json["status"]?.string == "measured")
    #expect(full.json["change"]?.double.map { abs($0 + 0.019) < 1e-12 } == true)
    #expect(bare.json["measured"] == .null)
    #expect(bare.json["interval"] == nil)
  }

  @Test(
    "each rule, broken",
    arguments: [
      ("task", "3", "has a \"task\" that is not a string"), ("task", "\"\"", "has an empty \"task\""),
      ("metric", "null", "has a \"metric\" that is not a string"), ("role", "\"hero\"", "has a role that is not"),
      ("unit", "[]", "has a \"unit\" that is not a string"),
      ("higher_is_better", "1", "does not say whether higher is better"),
      ("n", "0", "has no \"n\" from 1"), ("n", "1.5", "has no \"n\" from 1"),
      ("n", "-4", "has no \"n\" from 1"), ("n", "18446744073709551615", "has no \"n\" from 1"),
      ("n", "1000000000001", "has no \"n\" from 1"),
      ("before", "\"0.5\"", "has a \"before\" that is not a finite number"),
      ("before", "1.01", "has a share outside 0 … 1"), ("after", "-0.1", "has a share outside 0 … 1"),
      ("after", "1e999", "has a \"after\" that is not a finite number"),
      ("change", "0.019", "has a change that is not"),
      ("interval", "null", "has a share without an interval"),
      ("interval", #"{"low":-1,"high":1,"level":0.9,"method":"newcombe"}"#, "whose level is not 0.95"),
      ("interval", #"{"low":-0.001,"high":0.001,"level":0.95,"method":"newcombe"}"#, "does not contain its change"),
      ("interval", #"{"low":1,"high":-1,"level":0.95,"method":"newcombe"}"#, "whose low end exceeds its high end"),
      ("interval", #"{"low":-1,"high":1,"level":0.95,"method":"guess"}"#, "unknown interval method"),
      ("interval", "[]", "has no \"low\""), ("flips", #"{"lost":999,"won":2}"#, "has flips"),
      ("flips", #"{"lost":1}"#, "has flips"), ("p", "1.5", "has a p-value outside 0 … 1"),
      ("reference", "null", "has a \"reference\" that is not a SHA-256 digest"),
      ("reference", "\"7e4d\"", "not a SHA-256 digest"),
      ("measured", "null", "status that contradicts"), ("status", "\"reported\"", "status that contradicts"),
      ("status", "\"predicted\"", "status that contradicts"),
      ("probe_set", "\"x\"", "has a \"probe_set\" that is not a SHA-256 digest"),
      ("evaluator", "{}", "has no \"name\""), ("settings", #"{"a":[1]}"#, "not plain values"),
      ("settings", "3", "not plain values"), ("sources", #"{"before":{}}"#, "source without a digest"),
    ])
  func rules(key: String, value: String, reason: String) throws {
    let broken = full.json.setting(key, to: try JSON.parse(value))
    let annotations = JSON.dictionary(["forgetting": .array([full.json, broken])])
    let error = Records.refusal { _ = try [ForgettingRecord](annotations: annotations, subject: "a.vpatch") }
    #expect(error?.code == .invalid)
    #expect(error?.description.contains("a.vpatch: has a forgetting record, number 2, that ") == true)
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "accepted")")
    #expect(ForgettingSummary(annotations: annotations) == .unmeasured)
  }

  @Test("annotations without records, and with something else in their place") func annotations() throws {
    for text in ["{}", #"{"forgetting":null}"#, #"{"forgetting":[]}"#] {
      #expect(try [ForgettingRecord](annotations: JSON.parse(text), subject: "a").isEmpty)
    }
    for text in [
      #"{"forgetting":3}"#, #"{"forgetting":{"task":"x"}}"#, #"{"forgetting":[[]]}"#, #"{"forgetting":[1]}"#,
    ] {
      let json = try JSON.parse(text)
      #expect(Records.refusal { _ = try [ForgettingRecord](annotations: json, subject: "a") }?.code == .invalid)
      #expect(ForgettingSummary(annotations: json) == .unmeasured)
    }
  }

  @Test("a later record replaces one of the same measurement, and no other") func replacing() {
    let five = [JSON.Member("n_shot", JSON(5)), JSON.Member("version", JSON(1))]
    let old = Records.record(settings: five)
    let others = [
      Records.record(settings: []), Records.record(metric: "acc_norm", settings: five),
      Records.record("arc_easy", settings: five), Records.record(settings: five, probeSet: Records.base),
    ]
    // The order of settings, role and status do not matter.
    let new = Records.record("arc", .target, after: 0.7, measured: nil, settings: five.reversed())
    #expect(([old] + others).adding([new]) == others + [new])
    let annotations = JSON.dictionary(["name": .string("x"), "forgetting": .array([]), "note": .string("y")])
    let written = [old].replacing(in: annotations)
    #expect(written.object?.map(\.key) == ["name", "forgetting", "note"])
    #expect([].replacing(in: written).object?.map(\.key) == ["name", "note"])
  }

  @Test("whose bits it speaks of") func bits() {
    let record = Records.record()
    #expect(record.isAbout(base: Records.base, target: Records.tuned))
    #expect(!record.isAbout(base: Records.tuned, target: Records.tuned))
    #expect(!record.isAbout(base: Records.base, target: Records.base))
    let annotations = [record].replacing(in: .object([]))
    #expect(ForgettingSummary(annotations: annotations).status == .measured)
    #expect(ForgettingSummary(annotations: annotations, base: Records.base, target: Records.tuned).status == .measured)
    #expect(ForgettingSummary(annotations: annotations, base: Records.base, target: Records.base) == .unmeasured)
    let reported = [Records.record(measured: nil)].replacing(in: .object([]))
    #expect(ForgettingSummary(annotations: reported, base: Records.base, target: Records.base).status == .reported)
  }
}
