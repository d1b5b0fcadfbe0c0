import PatchFormat

/// A region's layers (columns) and components (rows) as a drawing.
struct HeatMap {
  /// More than a page can show; what is left out is said.
  private static let maximumLayers = 160
  private static let maximumRows = 80
  private static let rowHeight = 26.0
  private static let gap = 2.0
  private static let headHeight = 20.0
  /// What the page's widest column leaves, and what the numbers at the ends of the rows take.
  private static let pageWidth = 1076.0
  private static let valueWidth = 76.0

  let title: String
  let layers: [Int]
  let rows: [CheckpointDiff.ComponentSummary]
  let left: Int

  /// A map for each region that has layers.
  static func all(of components: [CheckpointDiff.ComponentSummary]) -> [HeatMap] {
    Component.Region.allCases.compactMap { region in
      let rows = components.filter { $0.region == region && !$0.layers.isEmpty }
      let layers = Set(rows.flatMap(\.layers.keys)).sorted()
      guard !rows.isEmpty else { return nil }
      let kept = layers.prefix(maximumLayers)
      return HeatMap(
        title: region == .decoderLayer ? "Language model" : region == .visionTower ? "Vision tower" : "Other layers",
        layers: Array(kept), rows: Array(rows.prefix(maximumRows)),
        left: max(layers.count - maximumLayers, 0) + max(rows.count - maximumRows, 0))
    }
  }

  /// The changes of all cells, to make a scale that several maps share.
  var changes: [Change] { rows.flatMap { $0.layers.values.map(\.change) } }

  func svg(_ scales: [Metric: ColorScale]) -> String {
    let labelWidth = Double(min(rows.map { shortened($0.label).count }.max()!, 40)) * 7.3 + 12
    let free = Self.pageWidth - labelWidth - Self.valueWidth
    let column = min(max((free / Double(layers.count)).rounded(.down), 10), 44)
    let width = labelWidth + Double(layers.count) * column + Self.valueWidth
    let height = Self.headHeight + Double(rows.count + 1) * Self.rowHeight + 8
    var out =
      "<svg role=\"img\" aria-label=\"\(HTML.escaped(title))\" width=\"\(px(width))\" height=\"\(px(height))\" "
      + "viewBox=\"0 0 \(px(width)) \(px(height))\"\(width < 1400 ? " class=\"fits\"" : "")>\n"
    out += axis(labelWidth, column)
    for (i, row) in rows.enumerated() {
      let y = Self.headHeight + Double(i) * Self.rowHeight
      out += line(row.label, row.layers, of: row.all, y, labelWidth, column, scales, isAll: false)
    }
    var sums: [Int: CheckpointDiff.Summary] = [:]
    var sum = CheckpointDiff.Summary()
    for row in rows {
      sum.merge(row.all)
      for (layer, summary) in row.layers { sums[layer, default: .init()].merge(summary) }
    }
    let y = Self.headHeight + Double(rows.count) * Self.rowHeight + 6
    out += line("whole layer", sums, of: sum, y, labelWidth, column, scales, isAll: true)
    return out + "</svg>\n"
  }

  private func axis(_ labelWidth: Double, _ column: Double) -> String {
    let digits = Double(String(layers.last!).count)
    let every = [1, 2, 5, 10, 20].first { Double($0) * column >= digits * 7 + 9 } ?? 40
    let labels = layers.enumerated().filter { $0.offset % every == 0 }.map { i, layer in
      let x = labelWidth + (Double(i) + 0.5) * column - 1
      return "<text class=\"soft\" text-anchor=\"middle\" x=\"\(px(x))\" y=\"13\">\(layer)</text>"
    }
    return "<text class=\"soft\" x=\"0\" y=\"13\">layer</text>" + labels.joined() + "\n"
  }

  private func line(
    _ label: String, _ cells: [Int: CheckpointDiff.Summary], of all: CheckpointDiff.Summary, _ y: Double,
    _ labelWidth: Double, _ column: Double, _ scales: [Metric: ColorScale], isAll: Bool
  ) -> String {
    let baseline = px(y + Self.rowHeight / 2 + 3)
    let quiet = all.changedTensors == 0 || isAll
    var out = "<text class=\"\(isAll ? "" : "mono ")\(quiet ? "soft" : "")\" x=\"0\" y=\"\(baseline)\">"
    out += "\(HTML.escaped(shortened(label)))</text>\n"
    for (i, layer) in layers.enumerated() {
      guard let cell = cells[layer] else { continue }
      let x = labelWidth + Double(i) * column
      out += "<rect class=\"cell \(Self.classes(cell.change, scales))\" x=\"\(px(x))\" y=\"\(px(y))\" "
      out += "width=\"\(px(column - Self.gap))\" height=\"\(px(Self.rowHeight - Self.gap))\" rx=\"2\">"
      out += "<title>layer \(layer) · \(HTML.escaped(label))\n\(Self.tip(cell.change))</title></rect>\n"
    }
    let x = px(labelWidth + Double(layers.count) * column + 8)
    for metric in Metric.allCases where all.changedTensors > 0 {
      out += "<text class=\"soft only-\(HTMLStyle.key(metric))\" x=\"\(x)\" y=\"\(baseline)\">"
      out += "\(metric.text(all.change))</text>"
    }
    return out + "\n"
  }

  /// The colours of a change, one for each metric.
  static func classes(_ change: Change, _ scales: [Metric: ColorScale]) -> String {
    guard change.changed > 0 else { return "same" }
    let steps = Metric.allCases.compactMap { metric in
      metric.value(change).map {
        "\(HTMLStyle.key(metric))\($0 > 0 ? scales[metric]!.step($0, of: HTMLStyle.steps) : 0)"
      }
    }
    return "odd " + steps.joined(separator: " ")
  }

  /// The exact numbers behind a colour.
  static func tip(_ change: Change) -> String {
    guard change.changed > 0 else { return "unchanged · \(Format.grouped(change.elements)) elements" }
    var lines = Metric.allCases.map { metric in
      let value = metric.value(change).map { Format.significant(metric == .share ? $0 * 100 : $0, 5) }
      return "\(metric.rawValue) \(value ?? "–")\(metric == .share ? "%" : "")"
    }
    lines.append("max |Δ| \(change.maxDelta.map { Format.significant($0, 5) } ?? "–")")
    lines.append("\(Format.grouped(change.changed)) of \(Format.grouped(change.elements)) elements")
    if change.nonFinite > 0 { lines.append("\(Format.grouped(change.nonFinite)) not finite, left out") }
    return lines.joined(separator: "\n")
  }

  private func shortened(_ label: String) -> String {
    // The heading of the map says which tower it is.
    let prefix = "\(Component.Region.visionTower) "
    let label = label.hasPrefix(prefix) ? String(label.dropFirst(prefix.count)) : label
    return label.count <= 40 ? label : label.prefix(19) + "…" + label.suffix(20)
  }

  private func px(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : Format.fixed(value, 1)
  }
}
