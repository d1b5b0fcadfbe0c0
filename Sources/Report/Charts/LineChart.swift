import Base

/// Values over training steps, as an SVG of flexible width. Horizontal positions are in percent and vertical ones in
/// pixels, so that text keeps its size.
struct LineChart {
  struct Series {
    /// In ascending order of `x`.
    package let points: [(x: Double, y: Double)]
    /// A class of the style sheet.
    package let style: String
    /// Whether the last value is written at its end.
    var isLabelled = false
  }

  package let title: String
  package let height: Double
  /// The last step.
  package let end: Double
  package let y: Axis
  package var series: [Series] = []
  /// The area between the two is shaded; both have the same `x`.
  var band: (low: Series, high: Series)?
  /// A limit, drawn as a line.
  package var budget: (value: Double, label: String)?
  /// Whether step labels are drawn below.
  var hasSteps = true

  package var html: String {
    let x = Axis(covering: [0, end], ticks: 5)
    var lines = y.ticks.map { tick in
      let at = px(tick)
      return "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"\(at)\" y2=\"\(at)\"/>"
        + "<text class=\"soft\" text-anchor=\"end\" x=\"-8\" y=\"\(at)\" dy=\".35em\">\(y.label(tick))</text>"
    }
    if hasSteps {
      let below = Format.fixed(height + 17, 1)
      lines += x.ticks.filter { $0 <= end }.map { tick in
        "<text class=\"soft\" text-anchor=\"middle\" x=\"\(share(tick))%\" y=\"\(below)\">\(x.label(tick))</text>"
      }
    }
    if let budget {
      let at = px(budget.value)
      lines.append("<line class=\"budget\" x1=\"0\" x2=\"100%\" y1=\"\(at)\" y2=\"\(at)\"/>")
      lines.append("<text class=\"budget\" x=\"4\" y=\"\(at)\" dy=\"-5\">\(HTML.escaped(budget.label))</text>")
    }
    // Paths cannot use percent, so curves are drawn in a stretched box.
    let curves = (bandPath.map { [$0] } ?? []) + series.map { "<path class=\"\($0.style)\" d=\"\(path($0.points))\"/>" }
    let ends = series.filter(\.isLabelled).compactMap { series -> String? in
      guard let last = series.points.last else { return nil }
      let anchor = last.x > 0.88 * end ? "end" : "start"
      let (x, y, text) = (share(last.x), px(last.y), Format.significant(last.y))
      return "<circle class=\"\(series.style)\" r=\"3.5\" cx=\"\(x)%\" cy=\"\(y)\"/>"
        + "<text class=\"value\" text-anchor=\"\(anchor)\" x=\"\(x)%\" y=\"\(y)\" dy=\"-9\">\(text)</text>"
    }
    return """
      <div class="plot"><svg role="img" aria-label="\(HTML.escaped(title))" height="\(Format.fixed(height, 0))">
      <title>\(HTML.escaped(title))</title>
      \(lines.joined(separator: "\n"))
      <svg viewBox="0 0 1000 \(Format.fixed(height, 0))" preserveAspectRatio="none" width="100%" \
      height="\(Format.fixed(height, 0))">\(curves.joined())</svg>
      \(ends.joined(separator: "\n"))</svg>\(hasSteps ? "<div class=\"steps\">step</div>" : "")</div>

      """
  }

  private var bandPath: String? {
    band.map { band in
      let back = band.low.points.reversed().map { "L\(place($0))" }.joined()
      return "<path class=\"\(band.high.style)\" d=\"\(path(band.high.points))\(back)Z\"/>"
    }
  }

  private func path(_ points: [(x: Double, y: Double)]) -> String {
    points.enumerated().map { "\($0.offset == 0 ? "M" : "L")\(place($0.element))" }.joined()
  }

  private func place(_ point: (x: Double, y: Double)) -> String {
    "\(Format.fixed(1000 * position(point.x), 1)) \(px(point.y))"
  }

  private func position(_ step: Double) -> Double { end > 0 ? min(max(step / end, 0), 1) : 0 }
  private func share(_ step: Double) -> String { Format.fixed(100 * position(step), 2) }
  private func px(_ value: Double) -> String { Format.fixed(height * (1 - y.position(value)), 1) }
}
