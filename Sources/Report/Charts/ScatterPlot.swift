import Base
import Measure

/// Learning (upwards) against forgetting (to the right), a numbered point for each patch, with the intervals of both.
struct ScatterPlot {
  package struct Point {
    /// The number of the point in the table.
    package let number: Int
    package let name: String
    package let learning: Estimate
    package let forgetting: Estimate
    package let status: MeasurementStatus
    /// Index of the colour.
    package let color: Int
  }

  package static let colors = 6
  private static let height = 380.0

  package let points: [Point]

  package var html: String {
    let x = Axis(covering: points.flatMap { [$0.forgetting.low, $0.forgetting.high] }, ticks: 5)
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
      let (cx, cy) = (x.percent(point.forgetting.value), px(point.learning.value))
      let title =
        "\(point.name): learning \(point.learning.text(sign: true)) pp, forgetting \(point.forgetting.text()) pp"
      lines.append(
        """
        <g class="point k\(point.color) \(point.status.rawValue)"><title>\(HTML.escaped(title)) \
        (\(point.status.rawValue))</title>\
        <line class="bar" x1="\(x.percent(point.forgetting.low))" x2="\(x.percent(point.forgetting.high))" \
        y1="\(cy)" y2="\(cy)"/>\
        <line class="bar" x1="\(cx)" x2="\(cx)" y1="\(px(point.learning.low))" y2="\(px(point.learning.high))"/>\
        <circle r="10" cx="\(cx)" cy="\(cy)"/>\
        <text text-anchor="middle" x="\(cx)" y="\(cy)" dy=".35em">\(point.number)</text></g>
        """)
    }
    return """
      <p class="axis">learning, percentage points</p>
      <div class="plot"><svg role="img" aria-label="Learning against forgetting" height="\(Format.fixed(Self.height, 0))">
      \(lines.joined(separator: "\n"))</svg><div class="steps">forgetting, percentage points</div></div>

      """
  }
}
