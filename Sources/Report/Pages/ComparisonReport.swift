import Base
import Measure
import PatchFormat

/// The page that compares several patches and stacks: learning and forgetting of each.
package struct ComparisonReport: Sendable {
  package struct Entry: Sendable {
    package let name: String
    package let identity: ContentDigest
    /// What was trained, or the stack's method.
    package let recipe: String?
    /// The scale of a member of a stack.
    package let scale: Double?
    package let bytes: Int?
    package let summary: ForgettingSummary
    /// The records of the summary; empty if it is predicted.
    package let records: [ForgettingRecord]

    package init(
      name: String, identity: ContentDigest, recipe: String?, scale: Double? = nil, bytes: Int?,
      summary: ForgettingSummary,
      records: [ForgettingRecord]
    ) {
      self.name = name
      self.identity = identity
      self.recipe = recipe
      self.scale = scale
      self.bytes = bytes
      self.summary = summary
      self.records = records
    }

    package init(_ subject: ReportedPatch, scale: Double? = nil) {
      self.init(
        name: subject.name, identity: subject.patch.identity, recipe: subject.recipe, scale: scale,
        bytes: subject.patch.fileSize, summary: subject.summary, records: subject.forgetting.records)
    }

    package var json: JSON {
      .dictionary([
        "name": .string(name), "identity": .string(identity.hex), "recipe": recipe.map { .string($0) },
        "bytes": bytes.map { JSON($0) }, "forgetting": summary.json,
      ])
    }
  }

  package let entries: [Entry]

  package init(_ entries: [Entry]) { self.entries = entries }

  package func html() -> String {
    let names = entries.map(\.name)
    let title =
      names.count <= 3
      ? names.joined(separator: ", ") : "\(names[0]), \(names[1]) and \(Format.grouped(names.count - 2)) more"
    let lead = "Learning on target tasks, and forgetting on held-out tasks, of each."
    return Part.page(
      kind: "\(Format.grouped(entries.count)) compared", title: title,
      body: "<p class=\"lead\">\(HTML.escaped(lead))</p>\n"
        + MemberComparison(entries: entries, hasScales: false).html(title: "Learning against forgetting"))
  }

  package var json: JSON { .dictionary(["compared": .array(entries.map(\.json))]) }
}

/// A plot with a point for each entry, and a table as its legend.
package struct MemberComparison {
  package let entries: [ComparisonReport.Entry]
  let hasScales: Bool

  package func html(title: String) -> String {
    let recipes = entries.map { $0.recipe ?? "" }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    func color(_ entry: ComparisonReport.Entry) -> Int {
      recipes.firstIndex(of: entry.recipe ?? "")! % ScatterPlot.colors
    }
    let points = entries.enumerated().compactMap { i, entry -> ScatterPlot.Point? in
      guard let learning = entry.summary.learning, let change = entry.summary.heldOutChange,
        entry.summary.status != .unmeasured
      else { return nil }
      return ScatterPlot.Point(
        number: i + 1, name: entry.name, learning: learning, change: change, status: entry.summary.status,
        color: color(entry))
    }
    let drawn = Set(points.map(\.number))
    let rows = entries.enumerated().map { i, entry in
      let isDrawn = drawn.contains(i + 1)
      let chip =
        "<span class=\"dot \(isDrawn ? "k\(color(entry)) \(entry.summary.status.rawValue)" : "off")\">\(i + 1)</span>"
      return ["\(chip)<b>\(HTML.escaped(entry.name))</b>", HTML.escaped(entry.recipe ?? "–")]
        + (hasScales ? [entry.scale.map(\.shortest) ?? "–"] : [])
        + [
          text(entry.summary.learning, entry.summary.known.learning, entry.summary),
          text(entry.summary.heldOutChange, entry.summary.known.forgetting, entry.summary),
          entry.summary.drift.map { entry.summary.known.drift.prefix + Format.significant($0) } ?? "–",
          entry.bytes.map(Format.bytes) ?? "–",
          Pill.html(entry.summary.status),
        ]
    }
    let missing = entries.enumerated().filter { !drawn.contains($0.offset + 1) }.map(\.element.name)
    let alike = Part.paragraph(
      Self.likeness(entries.enumerated().filter { drawn.contains($0.offset + 1) }.map(\.element)))
    let note =
      missing.isEmpty || points.isEmpty
      ? ""
      : Part.paragraph("Not drawn, since learning or the change on held-out tasks is unknown: \(Self.list(missing)).")
    let plot =
      points.isEmpty
      ? Part.paragraph("Nothing to draw: for none are both learning and the change on held-out tasks known.")
      : "<div class=\"beside\"><div>\n" + ScatterPlot(points: points).html + (points.count > 1 ? alike : "")
        + Part.paragraph(
          """
          Learning is upwards, forgetting to the left: the best are at the top right. Filled: measured; hollow: \
          reported; dashed: predicted.
          """) + "</div>\n" + tasks + "</div>\n"
    return Part.section(
      title,
      plot + note
        + HTML.table(
          ["", "recipe"] + (hasScales ? ["scale"] : [])
            + ["learning, pp", "held out, pp", "drift, nats", "size", "known"], numeric: 2, rows: rows, class: "key"))
  }

  /// "a, b and 3 more"
  private static func list(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(Format.grouped(names.count - 5)) more" : "")
  }

  /// The change of each entry on each task; the columns are numbered like the points.
  private var tasks: String {
    let records = entries.flatMap(\.records).filter { $0.unit == .share }
    var names: [(role: ForgettingRecord.Role, task: String)] = []
    for role in ForgettingRecord.Role.allCases {
      for record in records where record.role == role && !names.contains(where: { $0 == (role, record.task) }) {
        names.append((role, record.task))
      }
    }
    let columns = entries.indices.filter { !entries[$0].records.isEmpty }
    guard !names.isEmpty, !columns.isEmpty else { return "" }
    let rows = names.map { role, task in
      ["<span class=\"chip \(role.rawValue)\"></span>\(HTML.escaped(task))"]
        + columns.map { i in
          entries[i].records.first { $0.role == role && $0.task == task && $0.unit == .share }?.changeText ?? "–"
        }
    }
    return "<div><h3>Change by task <small>percentage points; blue: target, orange: held out</small></h3>\n"
      + HTML.table(["task"] + columns.map { String($0 + 1) }, numeric: 1, rows: rows, class: "tasks") + "</div>\n"
  }

  /// Whether the points are comparable: measured on the same tasks in the same way, for each role.
  static func likeness(_ entries: [ComparisonReport.Entry]) -> String {
    func differ(_ role: ForgettingRecord.Role) -> Bool {
      let sets = entries.map { $0.records.filter { $0.role == role && $0.unit == .share } }.filter { !$0.isEmpty }
      guard let first = sets.first else { return false }
      return sets.dropFirst().contains { set in
        set.count != first.count || !set.allSatisfy { record in first.contains { $0.isSameMeasurement(as: record) } }
      }
    }
    return switch (differ(.target), differ(.heldOut)) {
    case (false, false): "All are comparable: measured on the same tasks in the same way."
    case (true, false):
      "Forgetting is comparable: measured on the same tasks in the same way. Learning is not: target tasks differ."
    case (false, true):
      "Forgetting is not comparable: not all were measured on the same held-out tasks in the same way."
    case (true, true):
      "Neither learning nor forgetting is comparable: not all were measured on the same tasks in the same way."
    }
  }

  /// The last column shows the mark; a number with a different mark shows its own.
  private func text(_ estimate: Estimate?, _ known: MeasurementStatus, _ summary: ForgettingSummary) -> String {
    guard let estimate, known != .unmeasured else { return "–" }
    return estimate.text(sign: true) + (known == summary.status ? "" : " \(Pill.html(known))")
  }
}
