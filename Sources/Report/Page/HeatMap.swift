import Base
import Families

/// A drawing of a region's layers (columns) and components (rows).
package struct HeatMap: Sendable {
  package struct Cell: Sendable {
    /// The CSS classes of its colour.
    package let classes: String
    /// The exact numbers behind the colour.
    let tip: String

    package init(classes: String, tip: String) {
      self.classes = classes
      self.tip = tip
    }
  }

  package struct Row: Sendable {
    package let label: String
    /// Cells by layer.
    package let cells: [Int: Cell]
    /// Texts at the end of the row, with their CSS classes.
    package let ends: [(text: String, class: String)]
    /// Whether nothing in the row changed.
    let isQuiet: Bool

    package init(label: String, cells: [Int: Cell], ends: [(text: String, class: String)], isQuiet: Bool) {
      self.label = label
      self.cells = cells
      self.ends = ends
      self.isQuiet = isQuiet
    }
  }

  /// Limits of what a page shows; it reports how much is left out.
  private static let maximumLayers = 160
  private static let maximumRows = 80
  private static let rowHeight = 26.0
  private static let gap = 2.0
  private static let headHeight = 20.0
  /// The width of the page's content, and of the numbers at the ends of the rows.
  private static let pageWidth = 1076.0
  private static let valueWidth = 76.0

  package let title: String
  package let layers: [Int]
  package let rows: [Row]
  /// All rows together.
  package let sum: Row?
  private let left: Int

  /// - Parameter rows: at least one, each with at least one cell.
  package init(region: Component.Region, rows: [Row], sum: Row?) {
    title = region == .decoderLayer ? "Language model" : region == .visionTower ? "Vision tower" : "Other layers"
    let layers = Set(rows.flatMap(\.cells.keys)).sorted()
    self.layers = Array(layers.prefix(Self.maximumLayers))
    self.rows = Array(rows.prefix(Self.maximumRows))
    self.sum = sum
    left = max(layers.count - Self.maximumLayers, 0) + max(rows.count - Self.maximumRows, 0)
  }

  /// The maps one below the other, with the legend.
  package static func html(_ maps: [HeatMap], legend: String) -> String {
    let drawings = maps.map { map in
      let title = maps.count > 1 ? "<h3>\(map.title)</h3>\n" : ""
      let more = map.left > 0 ? "<p class=\"soft\">\(map.left) more rows or columns are not drawn.</p>\n" : ""
      return "<div class=\"map\">\(title)<div class=\"scroll\">\n\(map.svg)</div>\(more)</div>\n"
    }
    return drawings.joined()
      + "<div class=\"legend\">\(legend)<span><i class=\"chip same\"></i>unchanged</span></div>\n"
  }

  /// The legend of a metric's colours.
  package static func legend(
    _ key: String, _ text: String, _ scale: ColorScale, _ tickText: (Double) -> String
  ) -> String {
    let colors = (0..<HTMLStyle.steps).map { "<i class=\"\(key)\($0)\"></i>" }.joined()
    let ticks = scale.ticks.map {
      "<u style=\"left:\(Format.fixed(100 * scale.position($0), 1))%\">\(tickText($0))</u>"
    }
    return "<span class=\"only-\(key)\">\(text)</span><div class=\"bar only-\(key)\"><div>\(colors)</div>"
      + "\(ticks.joined())</div>"
  }

  var svg: String {
    let labelWidth = Double(min(rows.map { shortened($0.label).count }.max()!, 40)) * 7.3 + 12
    let free = Self.pageWidth - labelWidth - Self.valueWidth
    let column = min(max((free / Double(layers.count)).rounded(.down), 10), 44)
    let width = labelWidth + Double(layers.count) * column + Self.valueWidth
    let height = Self.headHeight + Double(rows.count + (sum == nil ? 0 : 1)) * Self.rowHeight + 8
    var out =
      "<svg role=\"img\" aria-label=\"\(HTML.escaped(title))\" width=\"\(px(width))\" height=\"\(px(height))\" "
      + "viewBox=\"0 0 \(px(width)) \(px(height))\"\(width < 1400 ? " class=\"fits\"" : "")>\n"
    out += axis(labelWidth, column)
    for (i, row) in rows.enumerated() {
      out += line(row, Self.headHeight + Double(i) * Self.rowHeight, labelWidth, column, isSum: false)
    }
    if let sum {
      out += line(sum, Self.headHeight + Double(rows.count) * Self.rowHeight + 6, labelWidth, column, isSum: true)
    }
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

  private func line(_ row: Row, _ y: Double, _ labelWidth: Double, _ column: Double, isSum: Bool) -> String {
    let baseline = px(y + Self.rowHeight / 2 + 3)
    let style = (isSum ? "" : "mono ") + (row.isQuiet || isSum ? "soft" : "")
    var out = "<text class=\"\(style)\" x=\"0\" y=\"\(baseline)\">"
    out += "\(HTML.escaped(shortened(row.label)))</text>\n"
    for (i, layer) in layers.enumerated() {
      guard let cell = row.cells[layer] else { continue }
      let x = labelWidth + Double(i) * column
      out += "<rect class=\"cell \(cell.classes)\" x=\"\(px(x))\" y=\"\(px(y))\" "
      out += "width=\"\(px(column - Self.gap))\" height=\"\(px(Self.rowHeight - Self.gap))\" rx=\"2\">"
      out += "<title>layer \(layer) · \(HTML.escaped(row.label))\n\(HTML.escapedLines(cell.tip))</title></rect>\n"
    }
    let x = px(labelWidth + Double(layers.count) * column + 8)
    for end in row.ends {
      out += "<text class=\"soft \(end.class)\" x=\"\(x)\" y=\"\(baseline)\">\(HTML.escaped(end.text))</text>"
    }
    return out + "\n"
  }

  private func shortened(_ label: String) -> String {
    // The heading of the map already names the vision tower.
    let prefix = "\(Component.Region.visionTower) "
    let label = label.hasPrefix(prefix) ? String(label.dropFirst(prefix.count)) : label
    return label.count <= 40 ? label : label.prefix(19) + "…" + label.suffix(20)
  }

  private func px(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : Format.fixed(value, 1)
  }
}
