import Apply
import Base

/// How far the weights moved from the base: a heat map, and a row for each component that changed.
struct MovedSection {
  package let change: WeightChange

  package var html: String {
    let maps = ChangeMaps(change.components, sum: "all tuned tensors")
    let note = Part.paragraph(
      """
      Measured against the base: ‖Δ‖ / ‖W‖ of the tuned tensors of each cell, the share of their weights that changed, \
      and 1 − cosine.
      """)
    let rows = change.components.filter { $0.all.changedTensors > 0 }.map { component in
      [
        Part.code(component.label), component.changedLayers.isEmpty ? "–" : Format.ranges(component.changedLayers),
        Format.grouped(component.all.changedTensors),
      ] + Metric.allCases.map { $0.text(component.all.change) }
    }
    let table = HTML.table(
      ["component", "layers", "tensors"] + Metric.allCases.map(\.rawValue), numeric: 2, rows: rows)
    let title = "Change of the weights"
    // Without layers in the tensor names there is no map.
    guard maps.hasMaps else { return Part.section(title, note + table) }
    return maps.section(title, note: note, after: table)
  }
}
