import Base
import Measure

/// A row for each record, by role: before, after, and the improvement with its interval. Each role has its own axis,
/// since learning is often many times larger than forgetting.
struct ForestPlot {
  package let records: [ForgettingRecord]
  package let summary: ForgettingSummary

  package var html: String {
    let groups = ForgettingRecord.Role.allCases.map(group).joined()
    let ends = "<div><span>← worse</span><span>better →</span></div>"
    let titles = [
      ("", "task"), ("n", "before → after"), ("fplot", ends), ("n", "change, 95 %"), ("n", "n"), ("n", "lost/won"),
      ("n", "p"),
    ].map { "<th class=\"\($0)\" role=\"columnheader\">\($1)</th>" }
    return """
      <table class="forest" role="table">
      <tr class="fhead" role="row">\(titles.joined())</tr>
      \(groups)</table>

      """
  }

  private func group(_ role: ForgettingRecord.Role) -> String {
    let records = records.filter { $0.role == role }
    guard !records.isEmpty else { return "" }
    let (title, what): (String, String) =
      switch role {
      case .target: ("Target: tasks to learn", "learning, the mean of")
      case .heldOut: ("Held out: tasks not to forget (negative: forgotten)", "the mean of")
      case .probe: ("Probes: behaviour, neither learning nor forgetting", "")
      }
    let mean: Estimate? =
      switch role {
      case .target: summary.learning
      case .heldOut: summary.forgetting.map { -$0 }
      case .probe: nil
      }
    let drawn = records.filter(\.unit.isWithinOne).compactMap(\.gain) + (mean.map { [$0] } ?? [])
    let axis = Axis(covering: drawn.flatMap { [$0.low, $0.high] }, ticks: 3)
    let rows = records.map { record in
      row(
        role, record.status, axis, record.unit.isWithinOne ? record.gain : nil, isMean: false,
        cells: [
          "<span><b>\(HTML.escaped(record.task))</b> <small>\(HTML.escaped(record.metric))\(unit(record))</small></span>"
            + (record.status == .measured ? "" : Pill.html(record.status)),
          "\(record.beforeText) → \(record.afterText)",
          "<b>\(record.changeText)</b> <small>\(record.intervalText)</small>",
          record.itemsText, record.flipsText, HTML.escaped(record.pText),
        ])
    }
    let sum = mean.map { mean in
      let text = Format.signed(mean.value, 1)
      let items = role == .target ? summary.learningItems : summary.forgettingItems
      return row(
        role, role == .target ? summary.known.learning : summary.known.forgetting, axis, mean, isMean: true,
        cells: [
          "<b>\(what) \(Format.counted(records.count { $0.unit == .share }, "task"))</b>", "",
          "<b>\(text)</b> ± \(Format.fixed(mean.halfWidth, 1)) pp", Format.grouped(items), "", "",
        ])
    }
    return "<tr class=\"fgroup \(role.rawValue)\" role=\"row\"><th role=\"rowheader\">\(title)</th></tr>\n"
      + rows.joined() + (sum ?? "")
      + (drawn.isEmpty ? "" : ticks(axis))
  }

  /// The unit and direction. Only shares are drawn on the axis.
  private func unit(_ record: ForgettingRecord) -> String {
    let better = record.higherIsBetter ? "" : ", lower is better"
    let isSaid = record.unit == .share || record.unit.rawValue == record.metric
    return (isSaid ? "" : ", \(HTML.escaped(record.unit.rawValue))") + better
  }

  private func row(
    _ role: ForgettingRecord.Role, _ status: MeasurementStatus, _ axis: Axis, _ gain: Estimate?, isMean: Bool,
    cells: [String]
  ) -> String {
    let plot = gain.map { drawing($0, status, axis, isMean: isMean) } ?? ""
    func cell(_ i: Int, _ style: String, _ label: String) -> String {
      "<td class=\"\(style)\" data-label=\"\(label)\" role=\"cell\">\(cells[i])</td>"
    }
    return "<tr class=\"frow \(role.rawValue)\(isMean ? " mean" : "")\" role=\"row\">"
      + cell(0, "task", "task") + cell(1, "n before", "before → after")
      + "<td class=\"fplot\" role=\"cell\">\(plot)</td>"
      + cell(2, "n change", "change") + cell(3, "n items", "n") + cell(4, "n flips", "lost/won") + cell(5, "n p", "p")
      + "</tr>\n"
  }

  private func drawing(_ gain: Estimate, _ status: MeasurementStatus, _ axis: Axis, isMean: Bool) -> String {
    let grid = axis.ticks.map { tick in
      let at = axis.percent(tick)
      return "<line class=\"\(tick == 0 ? "zero" : "grid")\" x1=\"\(at)\" x2=\"\(at)\" y1=\"0\" y2=\"100%\"/>"
    }
    let (low, at, high) = (axis.percent(gain.low), axis.percent(gain.value), axis.percent(gain.high))
    // Shapes cannot be placed in percent, but a nested drawing can.
    func inner(_ x: String, _ shape: String) -> String {
      "<svg x=\"\(x)\" y=\"50%\" overflow=\"visible\">\(shape)</svg>"
    }
    let caps = [low, high].map { inner($0, "<line class=\"bar\" x1=\"0\" x2=\"0\" y1=\"-4\" y2=\"4\"/>") }
    let mark =
      isMean
      ? inner(at, "<path class=\"mark\" d=\"M-8 0L0 -8L8 0L0 8Z\"/>")
      : "<circle class=\"mark\" r=\"5\" cx=\"\(at)\" cy=\"50%\"/>"
    return "<svg class=\"\(status.rawValue)\" aria-hidden=\"true\">\(grid.joined())"
      + "<line class=\"bar\" x1=\"\(low)\" x2=\"\(high)\" y1=\"50%\" y2=\"50%\"/>\(caps.joined())\(mark)</svg>"
  }

  private func ticks(_ axis: Axis) -> String {
    let texts = axis.ticks.map {
      "<text class=\"soft\" text-anchor=\"middle\" x=\"\(axis.percent($0))\" y=\"13\">\(axis.label($0, sign: true))</text>"
    }
    return "<tr class=\"fticks\" role=\"row\"><td></td><td></td><td class=\"fplot\"><svg aria-hidden=\"true\">"
      + "\(texts.joined())</svg></td><td class=\"soft\">percentage points</td></tr>\n"
  }
}
