import Base
import PatchFormat

/// What a patch's annotations say of its forgetting.
package struct ForgettingReport: Sendable {
  /// Those that speak of the patch's base and target.
  package let records: [ForgettingRecord]
  /// Those of other models: a patch that was rebased still has its old ones.
  package let foreign: [ForgettingRecord]
  package let summary: ForgettingSummary

  package init(_ records: [ForgettingRecord], of patch: Patch) {
    self.records = records.filter { $0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    foreign = records.filter { !$0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    summary = ForgettingSummary(records: self.records)
  }

  /// Records that were made just now.
  package init(_ records: [ForgettingRecord]) {
    self.records = records
    foreign = []
    summary = ForgettingSummary(records: records)
  }

  /// - Throws: `invalid` where a record is malformed.
  package init(_ patch: Patch) throws {
    self.init(try [ForgettingRecord](annotations: patch.annotations, subject: patch.label), of: patch)
  }

  /// Of a stack that nobody measured.
  package init(predicted summary: ForgettingSummary) {
    records = []
    foreign = []
    self.summary = summary
  }

  /// What is known of all that is shown: the least of any record; without records, of the summary.
  package var status: MeasurementStatus { records.map(\.status).max() ?? summary.status }

  /// Of a stack of which something was measured: numbers that nobody measured are predicted.
  package func completed(by predicted: ForgettingSummary) -> ForgettingReport {
    ForgettingReport(records: records, foreign: foreign, summary: summary.completed(by: predicted))
  }

  private init(records: [ForgettingRecord], foreign: [ForgettingRecord], summary: ForgettingSummary) {
    self.records = records
    self.foreign = foreign
    self.summary = summary
  }

  /// "forgetting …"; "learning …" and "drift …" where they are known.
  package var lines: [(key: String, value: String)] {
    var lines = [("forgetting", summary.forgettingText)]
    if summary.learning != nil { lines.insert(("learning", summary.learningText), at: 0) }
    if let drift = summary.driftText { lines.append(("drift", drift)) }
    if !foreign.isEmpty {
      lines.append(("records", "\(Format.counted(foreign.count, "record")) of other models, not counted"))
    }
    return lines
  }

  package var json: JSON {
    .object(
      (summary.json.object ?? []) + [
        JSON.Member("records", .array(records.map(\.json))),
        JSON.Member("records_of_other_models", .array(foreign.map(\.json))),
      ])
  }
}
