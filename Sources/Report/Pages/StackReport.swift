import Apply
import Base
import Measure
import PatchFormat

/// The page of a stack.
package struct StackReport: Sendable {
  package struct Member: Sendable {
    package let subject: ReportedPatch
    package let scale: Double

    package init(_ subject: ReportedPatch, scale: Double) {
      self.subject = subject
      self.scale = scale
    }
  }

  package let name: String
  /// nil for a stack that is not in a store.
  package let version: Int?
  package let definition: StackDefinition
  /// The composite patch, if it was made.
  package let composite: ContentDigest?
  package let members: [Member]
  /// Measured on exactly the stack's weights, or predicted.
  package let forgetting: ForgettingReport
  package let lineage: ReportLineage?
  package let change: WeightChange?

  /// - Parameter measured: what was measured on exactly the stack's weights; if nil, it is predicted from the members.
  package init(
    name: String, version: Int? = nil, definition: StackDefinition, composite: ContentDigest? = nil, members: [Member],
    measured: ForgettingReport? = nil, lineage: ReportLineage? = nil, change: WeightChange? = nil
  ) {
    self.name = name
    self.version = version
    self.definition = definition
    self.composite = composite
    self.members = members
    let predicted = ForgettingSummary.predicted(members: members.map { ($0.scale, $0.subject.summary) })
    forgetting = measured?.completed(by: predicted) ?? ForgettingReport(predicted: predicted)
    self.lineage = lineage
    self.change = change
  }

  package func html() -> String {
    let entry = ReportLineage.Entry(
      title: name, details: ["this stack", definition.method.text, definition.identity.short])
    let body =
      Part.facts([
        ("version", version.map(String.init)), ("identity", Part.code(definition.identity.hex)),
        ("base", Part.code(definition.base.hex)), ("method", Part.code(definition.method.text)),
        ("composite", composite.map { Part.code($0.hex) }),
      ]) + "<p class=\"lead\">\(HTML.escaped(headline))</p>\n" + cards
      + ForgettingSection(title: "Learning against forgetting", report: forgetting, unmeasured: unmeasured).html
      + membersSection + memberRecords + moved
      + LineageSection(subject: entry, isStack: true, lineage: lineage).html
    return Part.page(
      kind: "stack", title: name, metrics: change == nil ? [StoredMap.membersKey] : ChangeMaps.keys, body: body)
  }

  private var headline: String {
    "\(Format.counted(members.count, "patch", plural: "patches")) of one base, combined by \(definition.method.text)."
  }

  private var cards: String {
    let overlap = StackOverlap(members.map(\.subject.patch))
    return Part.cards(
      Part.cards(forgetting.summary) + [
        Part.card(Format.grouped(overlap.alone), "tensors touched by one member"),
        Part.card(Format.grouped(overlap.shared), "tensors touched by several members"),
      ])
  }

  private var unmeasured: String {
    switch forgetting.summary.status {
    case .predicted:
      """
      This stack was not measured. The numbers above are predicted from its members: losses are added in proportion to \
      the scales, learning is the mean over the members that have one, and errors are added as if all were in the same \
      direction. A gate does not accept a prediction as a measurement.
      """
    default:
      "This stack was not measured, and the forgetting of some member is unknown, so it cannot be predicted."
    }
  }

  private var membersSection: String {
    guard !members.isEmpty else { return Part.section("Members", Part.paragraph("The stack has no members.")) }
    let entries = members.map { ComparisonReport.Entry($0.subject, scale: $0.scale) }
    return MemberComparison(entries: entries + [entry], hasScales: true).html(title: "Members")
  }

  /// The stack as an entry of a comparison.
  package var entry: ComparisonReport.Entry {
    .init(
      name: name, identity: definition.identity, recipe: "stack, \(definition.method.text)", bytes: nil,
      summary: forgetting.summary, records: forgetting.records)
  }

  /// The records of each member, collapsed.
  private var memberRecords: String {
    let measured = members.filter { !$0.subject.forgetting.records.isEmpty }
    guard !measured.isEmpty else { return "" }
    let details = measured.map { member in
      let report = member.subject.forgetting
      return "<details><summary>\(HTML.escaped(member.subject.name)) \(Pill.html(report.status))</summary>\n"
        + ForestPlot(records: report.records, summary: report.summary).html + "</details>\n"
    }
    return Part.section(
      "Measurements of the members, each alone at scale 1", "<div class=\"folds\">\(details.joined())</div>\n")
  }

  private var moved: String {
    if let change { return MovedSection(change: change).html }
    let map = StoredMap.members(members.map(\.subject.patch))
    guard !map.isEmpty else { return "" }
    return Part.section(
      "Members by component",
      Part.paragraph(
        "Members that touch each component. 'vpatch report --base MODEL' measures how far the stack moves it.") + map)
  }

  package var json: JSON {
    .dictionary([
      "name": .string(name), "version": version.map { JSON($0) }, "stack": definition.json(),
      "composite": composite.map { .string($0.hex) }, "forgetting": forgetting.json,
      "members": .array(
        members.map { .object([JSON.Member("scale", JSON($0.scale))] + ($0.subject.json.object ?? [])) }),
      "lineage": lineage?.json,
    ])
  }
}
