import Base
import PatchFormat

/// The forgetting records in a patch's annotations.
package struct ForgettingReport: Sendable {
  /// Records of the patch's own base and target.
  package let records: [ForgettingRecord]
  /// Records of other models: a rebased patch keeps its old ones.
  package let foreign: [ForgettingRecord]
  package let summary: ForgettingSummary

  package init(_ records: [ForgettingRecord], of patch: Patch) {
    self.records = records.filter { $0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    foreign = records.filter { !$0.isAbout(base: patch.header.baseRoot, target: patch.header.targetRoot) }
    summary = ForgettingSummary(records: self.records)
  }

  /// For records that were just made.
  package init(_ records: [ForgettingRecord]) {
    self.records = records
    foreign = []
    summary = ForgettingSummary(records: records)
  }

  /// - Throws: `invalid` if a record is malformed.
  package init(_ patch: Patch) throws {
    self.init(try [ForgettingRecord](annotations: patch.annotations, subject: patch.label), of: patch)
  }

  /// For an unmeasured stack.
  package init(predicted summary: ForgettingSummary) {
    records = []
    foreign = []
    self.summary = summary
  }

  /// The weakest status of all records; without records, that of the summary.
  package var status: MeasurementStatus { records.map(\.status).max() ?? summary.status }

  /// For a partly measured stack: unmeasured numbers are predicted.
  package func completed(by predicted: ForgettingSummary) -> ForgettingReport {
    ForgettingReport(records: records, foreign: foreign, summary: summary.completed(by: predicted))
  }

  private init(records: [ForgettingRecord], foreign: [ForgettingRecord], summary: ForgettingSummary) {
    self.records = records
    self.foreign = foreign
    self.summary = summary
  }

  /// "forgetting …"; "learning …" and "drift …" if known.
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
