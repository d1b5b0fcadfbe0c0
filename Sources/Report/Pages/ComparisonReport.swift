import Apply
import Measure
import PatchFormat

/// The page of several patches and stacks side by side: what each taught, and what it cost.
public struct ComparisonReport: Sendable {
  public struct Entry: Sendable {
    public let name: String
    public let identity: Digest
    /// What was tuned, or the stack's method.
    public let recipe: String?
    /// Of a member of a stack.
    public let scale: Double?
    public let bytes: Int?
    public let summary: ForgettingSummary

    public init(
      name: String, identity: Digest, recipe: String?, scale: Double? = nil, bytes: Int?, summary: ForgettingSummary
    ) {
      self.name = name
      self.identity = identity
      self.recipe = recipe
      self.scale = scale
      self.bytes = bytes
      self.summary = summary
    }

    public init(_ subject: ReportedPatch, scale: Double? = nil) {
      self.init(
        name: subject.name, identity: subject.patch.identity, recipe: subject.recipe, scale: scale,
        bytes: subject.patch.fileSize, summary: subject.summary)
    }

    var json: JSON {
      .dictionary([
        "name": .string(name), "identity": .string(identity.hex), "recipe": recipe.map { .string($0) },
        "bytes": bytes.map { JSON($0) }, "forgetting": summary.json,
      ])
    }
  }

  public let entries: [Entry]

  public init(_ entries: [Entry]) { self.entries = entries }

  public func html() -> String {
    let names = entries.map(\.name)
    let title =
      names.count <= 3
      ? names.joined(separator: ", ") : "\(names[0]), \(names[1]) and \(Format.grouped(names.count - 2)) more"
    let lead =
      """
      What each taught on its target tasks, and what it cost on held-out ones. Only tasks measured alike compare: \
      see each one's own page for which they were.
      """
    return Part.page(
      kind: "\(Format.grouped(entries.count)) compared", title: title,
      body: "<p class=\"lead\">\(HTML.escaped(lead))</p>\n"
        + Comparison(entries: entries, hasScales: false).html(title: "Learning against forgetting"))
  }

  public var json: JSON { .dictionary(["compared": .array(entries.map(\.json))]) }
}

/// A plot with a point for each entry, and a table that is its key.
struct Comparison {
  let entries: [ComparisonReport.Entry]
  let hasScales: Bool

  func html(title: String) -> String {
    let recipes = entries.map { $0.recipe ?? "" }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    func color(_ entry: ComparisonReport.Entry) -> Int {
      recipes.firstIndex(of: entry.recipe ?? "")! % ScatterPlot.colors
    }
    let points = entries.enumerated().compactMap { i, entry -> ScatterPlot.Point? in
      guard let learning = entry.summary.learning, let forgetting = entry.summary.forgetting,
        entry.summary.status != .unmeasured
      else { return nil }
      return ScatterPlot.Point(
        number: i + 1, name: entry.name, learning: learning, forgetting: forgetting, status: entry.summary.status,
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
          text(entry.summary.learning, entry.summary, sign: true), text(entry.summary.forgetting, entry.summary),
          entry.summary.drift.map { Format.significant($0) } ?? "–", entry.bytes.map(Format.bytes) ?? "–",
          Pill.html(entry.summary.status),
        ]
    }
    let missing = entries.count - points.count
    let note =
      missing == 0
      ? ""
      : Part.paragraph(
        "\(Format.grouped(missing)) of \(Format.grouped(entries.count)) not drawn: learning or forgetting was not measured."
      )
    let plot =
      points.isEmpty
      ? Part.paragraph("None has both its learning and its forgetting measured, so there is nothing to draw.")
      : ScatterPlot(points: points).html
        + Part.paragraph(
          """
          Up is learned, right is forgotten: the best is at the top left. Filled: measured; hollow: reported; dashed: \
          predicted.
          """)
    return Part.section(
      title,
      plot + note
        + HTML.table(
          ["", "recipe"] + (hasScales ? ["scale"] : [])
            + ["learning, pp", "forgetting, pp", "drift, nats", "size", "known"], numeric: 2, rows: rows, class: "key"))
  }

  private func text(_ estimate: Estimate?, _ summary: ForgettingSummary, sign: Bool = false) -> String {
    guard let estimate, summary.status != .unmeasured else { return "–" }
    return estimate.text(sign: sign)
  }
}
