import Base
import Measure

/// Learning (upwards) against the change on held-out tasks (worse to the left), a numbered point with its name for each
/// patch, with the intervals of both.
struct ScatterPlot {
  package struct Point {
    /// The number of the point in the table.
    package let number: Int
    package let name: String
    package let learning: Estimate
    /// On held-out tasks: negative is forgetting.
    package let change: Estimate
    package let status: MeasurementStatus
    /// Index of the colour.
    package let color: Int
  }

  package static let colors = 6
  private static let height = 380.0

  package let points: [Point]

  package var html: String {
    let x = Axis(covering: points.flatMap { [$0.change.low, $0.change.high] }, ticks: 5)
    let y = Axis(covering: points.flatMap { [$0.learning.low, $0.learning.high] }, ticks: 5)
    func px(_ value: Double) -> String { Format.fixed(Self.height * (1 - y.position(value)), 1) }
    let below = Format.fixed(Self.height + 17, 1)
    var lines: [String] = []
    for tick in y.ticks {
      let style = tick == 0 ? "zero" : "grid"
      lines.append("<line class=\"\(style)\" x1=\"0\" x2=\"100%\" y1=\"\(px(tick))\" y2=\"\(px(tick))\"/>")
      let label = y.label(tick, sign: true)
      lines.append("<text class=\"soft\" text-anchor=\"end\" x=\"-8\" y=\"\(px(tick))\" dy=\".35em\">\(label)</text>")
    }
    for tick in x.ticks {
      let (style, at) = (tick == 0 ? "zero" : "grid", x.percent(tick))
      lines.append(
        "<line class=\"\(style)\" x1=\"\(at)\" x2=\"\(at)\" y1=\"0\" y2=\"\(Format.fixed(Self.height, 0))\"/>")
      lines.append(
        "<text class=\"soft\" text-anchor=\"middle\" x=\"\(at)\" y=\"\(below)\">\(x.label(tick, sign: true))</text>")
    }
    for point in points {
      let (cx, cy) = (x.percent(point.change.value), px(point.learning.value))
      let title =
        "\(point.name): learning \(point.learning.text(sign: true)) pp, held-out tasks \(point.change.text(sign: true)) pp"
      lines.append(
        """
        <g class="point k\(point.color) \(point.status.rawValue)"><title>\(HTML.escaped(title)) \
        (\(point.status.rawValue))</title>\
        <line class="bar" x1="\(x.percent(point.change.low))" x2="\(x.percent(point.change.high))" \
        y1="\(cy)" y2="\(cy)"/>\
        <line class="bar" x1="\(cx)" x2="\(cx)" y1="\(px(point.learning.low))" y2="\(px(point.learning.high))"/>\
        <circle r="10" cx="\(cx)" cy="\(cy)"/>\
        <text text-anchor="middle" x="\(cx)" y="\(cy)" dy=".35em">\(point.number)</text></g>
        """)
    }
    lines += labels(x, y)
    return """
      <p class="axis">learning, percentage points</p>
      <div class="plot"><svg role="img" aria-label="Learning against forgetting" height="\(Format.fixed(Self.height, 0))">
      \(lines.joined(separator: "\n"))</svg><div class="steps">← forgotten · change on held-out tasks, \
      percentage points</div></div>

      """
  }

  /// The names, beside their points; a name moves down where another one is in its place.
  private func labels(_ x: Axis, _ y: Axis) -> [String] {
    var taken: [(x: Double, y: Double)] = []
    return points.sorted { y.position($0.learning.value) > y.position($1.learning.value) }.map { point in
      let at = x.position(point.change.value)
      var height = Self.height * (1 - y.position(point.learning.value)) - 14
      while taken.contains(where: { abs($0.x - at) < 0.3 && abs($0.y - height) < 15 }) { height += 15 }
      taken.append((at, height))
      let isLeft = at > 0.6
      let name = point.name.count > 24 ? point.name.prefix(23) + "…" : point.name[...]
      return "<text class=\"name k\(point.color)\" text-anchor=\"\(isLeft ? "end" : "start")\" "
        + "x=\"\(x.percent(point.change.value))\" dx=\"\(isLeft ? -9 : 9)\" y=\"\(Format.fixed(height, 1))\">"
        + "\(HTML.escaped(String(name)))</text>"
    }
  }
}
