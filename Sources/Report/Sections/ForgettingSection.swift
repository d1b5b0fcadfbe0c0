import Base
import Measure

/// Learning against forgetting: each record with its interval, and the two means.
struct ForgettingSection {
  package let title: String
  package let report: ForgettingReport
  /// The text if there are no records.
  package let unmeasured: String

  package var html: String {
    let foreign =
      report.foreign.isEmpty
      ? ""
      : Part.paragraph(
        """
        \(Format.counted(report.foreign.count, "record")) of other models, not counted and not shown: they were \
        measured on other weights.
        """
      )
    guard !report.records.isEmpty else {
      return Part.section(title, mark: Pill.html(report.status), Part.paragraph(unmeasured) + foreign)
    }
    let evaluators = Set(report.records.map(\.evaluator.text)).sorted().joined(separator: ", ")
    let plot = ForestPlot(records: report.records, summary: report.summary).html
    return Part.section(
      title, mark: Pill.html(report.status),
      plot + foreign + Part.paragraph("Evaluated by \(evaluators). p: McNemar's exact test of items lost and won.")
    )
  }
}
