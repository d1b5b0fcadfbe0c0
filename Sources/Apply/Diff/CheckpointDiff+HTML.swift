import PatchFormat

extension CheckpointDiff {
  /// The comparison as one page that needs nothing else: no network, no fonts, and scripts only to switch the metric.
  public func html() -> String {
    let components = components
    let maps = HeatMap.all(of: components)
    // One scale for all maps, so that colours compare.
    let changes = maps.flatMap(\.changes) + components.filter(\.layers.isEmpty).map(\.all.change)
    let scales = Dictionary(uniqueKeysWithValues: Metric.allCases.map { ($0, $0.scale(changes)) })
    let (nameA, nameB) = (HTML.escaped(Path.name(a.path)), HTML.escaped(Path.name(b.path)))
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width,initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
      script-src 'unsafe-inline'">
      <title>\(nameA) → \(nameB) · vpatch diff</title>
      <style>
      \(HTMLStyle.sheet)
      </style>
      </head>
      <body class="m-r">
      <main>
      <div class="eyebrow">vpatch diff</div>
      <h1>\(nameA) <span class="to">→</span> \(nameB)</h1>
      <dl class="sides"><dt>A</dt><dd>\(HTML.escaped(a.path)) · \(a.facts)</dd>
      <dt>B</dt><dd>\(HTML.escaped(b.path)) · \(b.facts)</dd></dl>
      <p class="lead">\(headline)</p>
      \(cards)\(heatMapSection(maps, scales))\(componentSection(components, scales))\(unmatchedSection)\
      \(tensorSection)\(footer)</main>
      <script>
      for (const s of document.querySelectorAll('.switch')) {
        s.hidden = false;
        s.onchange = e => { document.body.className = 'm-' + e.target.value; };
      }
      </script>
      </body>
      </html>

      """
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
      cards.append((Format.grouped(total.change.nonFinite), "elements NaN or infinite, left out of the norms"))
    }
    let html = cards.map { "<div class=\"card\"><b>\($0)</b><span>\($1)</span></div>\n" }
    return "<div class=\"cards\">\n\(html.joined())</div>\n"
  }

  private func heatMapSection(_ maps: [HeatMap], _ scales: [Metric: ColorScale]) -> String {
    guard !maps.isEmpty, tensors.contains(where: \.isChanged) else { return "" }
    let metrics = Metric.allCases.map { metric in
      "<label><input type=\"radio\" name=\"metric\" value=\"\(HTMLStyle.key(metric))\""
        + "\(metric == .relativeChange ? " checked" : "")><span>\(metric.rawValue)</span></label>"
    }
    let drawings = maps.map { map in
      let title = maps.count > 1 ? "<h3>\(map.title)</h3>\n" : ""
      let more = map.left > 0 ? "<p class=\"soft\">\(map.left) more rows or columns are not drawn.</p>\n" : ""
      return "<div class=\"map\">\(title)<div class=\"scroll\">\n\(map.svg(scales))</div>\(more)</div>\n"
    }
    return """
      <section>
      <div class="head"><h2>Change by layer and component</h2>
      <form class="switch" hidden autocomplete="off">\(metrics.joined())</form></div>
      \(drawings.joined())<div class="legend">\(Metric.allCases.map { legend($0, scales[$0]!) }.joined())\
      <span><i class="chip same"></i>unchanged</span></div>
      </section>

      """
  }

  private func legend(_ metric: Metric, _ scale: ColorScale) -> String {
    let key = HTMLStyle.key(metric)
    let colors = (0..<HTMLStyle.steps).map { "<i class=\"\(key)\($0)\"></i>" }.joined()
    let ticks = scale.ticks.map { tick in
      let text =
        metric == .share
        ? Format.plain(tick * 100) + "%" : (tick == scale.low ? "≤ " : "") + Format.significant(tick, 1)
      return "<u style=\"left:\(Format.fixed(100 * scale.position(tick), 1))%\">\(text)</u>"
    }
    let kind = scale.isLogarithmic ? "\(metric.rawValue), logarithmic" : metric.rawValue
    return "<span class=\"only-\(key)\">\(kind)</span><div class=\"bar only-\(key)\"><div>\(colors)</div>"
      + "\(ticks.joined())</div>"
  }

  private var footer: String {
    """
    <footer>Δ is B − A. Relative change is ‖Δ‖ / ‖A‖; norms and cosines are computed in 64-bit floating point. \
    An element counts as changed when a bit of it differs.\
    \(total.change.nonFinite > 0 ? " " + nonFiniteNote : "")</footer>

    """
  }
}
