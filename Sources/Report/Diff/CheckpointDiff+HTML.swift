import Apply
import Base

extension CheckpointDiff {
  /// The comparison as one self-contained page: no network, no fonts, and a script only to switch the metric.
  package func html() -> String {
    let components = components
    let maps = ChangeMaps(components)
    let (nameA, nameB) = (Path.name(a.path), Path.name(b.path))
    let hasMap = tensors.contains(where: \.isChanged)
    return HTML.page(
      title: "\(nameA) → \(nameB) · vpatch diff", style: HTMLStyle.sheet(metrics: ChangeMaps.keys),
      metric: Metric.relativeChange.key,
      body: """
        <div class="eyebrow">vpatch diff</div>
        <h1>\(HTML.escaped(nameA)) <span class="to">→</span> \(HTML.escaped(nameB))</h1>
        <dl class="sides"><dt>A</dt><dd>\(HTML.escaped(a.path)) · \(a.facts)</dd>
        <dt>B</dt><dd>\(HTML.escaped(b.path)) · \(b.facts)</dd></dl>
        <p class="lead">\(([headline] + notes.map(HTML.escaped)).joined(separator: " "))</p>
        \(cards)\(hasMap ? maps.section("Change by layer and component") : "")\
        \(componentSection(components, maps.scales))\(unmatchedSection)\(tensorSection)\(footer)
        """)
  }

  private var cards: String {
    guard tensors.contains(where: \.isChanged) else { return "" }
    let total = total
    let largest = tensors.max { ($0.change.maxDelta ?? 0) < ($1.change.maxDelta ?? 0) }
    var cards = [
      ("\(Metric.relativeChange.text(total.change))", "relative change ‖Δ‖ / ‖A‖, all tensors"),
      (Format.percent(total.change.share), "of all elements changed: \(Format.grouped(total.change.changed))"),
      (
        "\(Format.grouped(total.changedTensors)) <small>of \(Format.grouped(total.tensors))</small>",
        "tensors changed"
      ),
      (Metric.angle.text(total.change), "1 − cosine of A and B, all tensors"),
    ]
    if let largest, let value = largest.change.maxDelta, value > 0 {
      cards.append((Format.significant(value), "max |Δ|, in \(HTML.escaped(largest.component.description))"))
    }
    if total.change.nonFinite > 0 {
      cards.append((Format.grouped(total.change.nonFinite), "NaN or infinite elements, left out of the norms"))
    }
    let html = cards.map { "<div class=\"card\"><b>\($0)</b><span>\($1)</span></div>\n" }
    return "<div class=\"cards\">\n\(html.joined())</div>\n"
  }

  private var footer: String {
    """
    <footer>Δ is B − A. Relative change is ‖Δ‖ / ‖A‖; norms and cosines are computed in 64-bit floating point. \
    An element counts as changed if any of its bits differs.\
    \(total.change.nonFinite > 0 ? " " + nonFiniteNote : "")</footer>

    """
  }
}
