import Apply
import Base
import Families

/// Heat maps of changes, one for each region with layers, on one colour scale so that colours are comparable.
package struct ChangeMaps {
  package let scales: [Metric: ColorScale]
  package let maps: [HeatMap]

  /// The metrics' keys, for the style sheet.
  package static let keys = Metric.allCases.map(\.key)

  /// - Parameter sum: the label of the row of all components.
  package init(_ components: [CheckpointDiff.ComponentSummary], sum: String = "whole layer") {
    let changes = components.flatMap { $0.layers.isEmpty ? [$0.all.change] : $0.layers.values.map(\.change) }
    let scales = Dictionary(uniqueKeysWithValues: Metric.allCases.map { ($0, $0.scale(changes)) })
    self.scales = scales
    maps = Component.Region.allCases.compactMap { region in
      let rows = components.filter { $0.region == region && !$0.layers.isEmpty }
      guard !rows.isEmpty else { return nil }
      var sums: [Int: CheckpointDiff.Summary] = [:]
      var all = CheckpointDiff.Summary()
      for row in rows {
        all.merge(row.all)
        for (layer, summary) in row.layers { sums[layer, default: .init()].merge(summary) }
      }
      return HeatMap(
        region: region, rows: rows.map { Self.row($0.label, $0.layers, of: $0.all, scales) },
        sum: Self.row(sum, sums, of: all, scales))
    }
  }

  private static func row(
    _ label: String, _ layers: [Int: CheckpointDiff.Summary], of all: CheckpointDiff.Summary,
    _ scales: [Metric: ColorScale]
  ) -> HeatMap.Row {
    HeatMap.Row(
      label: label,
      cells: layers.mapValues { .init(classes: classes($0.change, scales), tip: tip($0.change)) },
      ends: all.changedTensors == 0 ? [] : Metric.allCases.map { ($0.text(all.change), "only-\($0.key)") },
      isQuiet: all.changedTensors == 0)
  }

  /// Whether any component has layers.
  package var hasMaps: Bool { !maps.isEmpty }

  /// The maps with a switch between the metrics; empty without layers.
  /// - Parameters:
  ///   - note: HTML before the maps.
  ///   - more: HTML after the maps.
  package func section(_ title: String, note: String = "", after more: String = "") -> String {
    guard !maps.isEmpty else { return "" }
    let metrics = Metric.allCases.map { metric in
      "<label><input type=\"radio\" name=\"metric\" value=\"\(metric.key)\""
        + "\(metric == .relativeChange ? " checked" : "")><span>\(metric.rawValue)</span></label>"
    }
    return """
      <section>
      <div class="head"><h2>\(title)</h2>
      <form class="switch" hidden autocomplete="off">\(metrics.joined())</form></div>
      \(note)\(HeatMap.html(maps, legend: Metric.allCases.map(legend).joined()))\(more)</section>

      """
  }

  private func legend(_ metric: Metric) -> String {
    let scale = scales[metric]!
    let kind = scale.isLogarithmic ? "\(metric.rawValue), logarithmic" : metric.rawValue
    return HeatMap.legend(metric.key, kind, scale) { tick in
      metric == .share
        ? Format.plain(tick * 100) + "%" : (tick == scale.low ? "≤ " : "") + Format.significant(tick, 1)
    }
  }

  /// The colours of a change, one for each metric.
  static func classes(_ change: Change, _ scales: [Metric: ColorScale]) -> String {
    guard change.changed > 0 else { return "same" }
    let steps = Metric.allCases.compactMap { metric in
      metric.value(change).map { "\(metric.key)\($0 > 0 ? scales[metric]!.step($0, of: HTMLStyle.steps) : 0)" }
    }
    return "odd " + steps.joined(separator: " ")
  }

  /// The exact numbers of a cell.
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
}
