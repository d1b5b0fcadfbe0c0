import Base

/// The lineage as a line from the base downwards, and related patches.
struct LineageSection {
  /// The patch or the stack of the page.
  package let subject: ReportLineage.Entry
  package let isStack: Bool
  package let lineage: ReportLineage?

  /// The most entries of a list.
  private static let most = 24

  package var html: String {
    guard let lineage else { return "" }
    let rail =
      item(lineage.base, "base") + lineage.chain.map { item($0, "patch") }.joined()
      + item(subject, isStack ? "stack this" : "patch this") + lineage.after.map { item($0, "patch") }.joined()
    func list(_ title: String, _ entries: [ReportLineage.Entry], _ style: String) -> String {
      guard !entries.isEmpty else { return "" }
      let items = entries.prefix(Self.most).map { item($0, style) }.joined()
      let rest = entries.count - Self.most
      let more = rest > 0 ? "<p class=\"note\">and \(Format.grouped(rest)) more</p>\n" : ""
      return "<div><h3>\(title)</h3>\n<ol class=\"rail loose\">\n\(items)</ol>\n\(more)</div>\n"
    }
    return Part.section(
      "Lineage",
      """
      <div class="related"><div><h3>From the base</h3>
      <ol class="rail">
      \(rail)</ol></div>
      \(list(isStack ? "Members" : "Siblings: patches of the same base", lineage.siblings, "patch"))\
      \(list(isStack ? "Other stacks of this base" : "Stacks that contain it", lineage.stacks, "stack"))</div>
      \(lineage.note.map(Part.paragraph) ?? "")
      """)
  }

  private func item(_ entry: ReportLineage.Entry, _ style: String) -> String {
    let details = entry.details.map(HTML.escaped).joined(separator: " · ")
    return "<li class=\"\(style)\"><b>\(HTML.escaped(entry.title))</b><span>\(details)</span></li>\n"
  }
}
