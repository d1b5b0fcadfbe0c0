import Base
import Families
import PatchFormat

/// What a patch changes, by component and layer, as text and as JSON.
package struct PatchSummary: Sendable {
  /// The tensors of one component with the same operation.
  package struct Row: Sendable {
    package let component: String
    package let operation: TensorOperation
    package var layers: Set<Int>
    package var tensors: Int
    package var elements: Int
    package var rawBytes: Int
    package var storedBytes: Int
  }

  package let rows: [Row]
  /// The tensors of the adapter that the patch holds.
  package let adapter: (tensors: Int, elements: Int, rawBytes: Int, storedBytes: Int)
  package let layout: ModelLayout

  package init(_ header: PatchHeader) {
    let layout = ModelLayout.recognise(names: header.tensors.compactMap { ($0.base ?? $0.target)?.info.name })
    var rows: [String: Row] = [:]
    for tensor in header.touched {
      let component = layout.component(of: tensor.name)
      let label = component.region == .other ? "other" : "\(component.name).\(component.parameter)"
      let key = "\(component.region.rawValue) \(label) \(tensor.operation.rawValue)"
      var row =
        rows[key]
        ?? Row(
          component: component.region == .visionTower ? "vision \(label)" : label, operation: tensor.operation,
          layers: [], tensors: 0, elements: 0, rawBytes: 0, storedBytes: 0)
      if let layer = component.layer { row.layers.insert(layer) }
      let info = (tensor.target ?? tensor.base)!.info
      row.tensors += 1
      row.elements += info.elementCount
      row.rawBytes += info.byteCount
      row.storedBytes += tensor.storedBytes
      rows[key] = row
    }
    adapter = header.adapter.reduce((0, 0, 0, 0)) { sum, tensor in
      let info = tensor.tensor.info
      return (sum.0 + 1, sum.1 + info.elementCount, sum.2 + info.byteCount, sum.3 + tensor.storedBytes)
    }
    self.rows = rows.sorted { $0.key < $1.key }.map(\.value)
    self.layout = layout
  }

  /// - Parameter width: of the terminal; nil: as wide as the table.
  package func table(width: Int? = nil) -> String {
    let areChanges = rows.allSatisfy { $0.operation == .change }
    var table = TextTable([
      .init("component"), .init("change", rank: areChanges ? 4 : 0), .init("layers", rank: 1),
      .init("tensors", .right, rank: 2), .init("weights", .right), .init("raw", .right, rank: 3),
      .init("stored", .right), .init("bits/weight", .right),
    ])
    func cells(_ first: [String], _ tensors: Int, _ elements: Int, _ raw: Int, _ stored: Int) -> [String] {
      first + [
        Format.grouped(tensors), Format.grouped(elements), Format.bytes(raw), Format.bytes(stored),
        elements == 0 ? "–" : Format.fixed(Double(stored) * 8 / Double(elements), 3),
      ]
    }
    for row in rows {
      table.add(
        cells(
          [row.component, row.operation.rawValue, row.layers.isEmpty ? "–" : Format.ranges(row.layers.sorted())],
          row.tensors, row.elements, row.rawBytes, row.storedBytes))
    }
    if adapter.tensors > 0 {
      table.add(
        cells(
          ["adapter", "factors", "–"], adapter.tensors, adapter.elements, adapter.rawBytes, adapter.storedBytes))
    }
    if rows.count > 1 || adapter.tensors > 0 {
      func sum(_ value: (Row) -> Int) -> Int { rows.reduce(0) { $0 + value($1) } }
      // Of the model's tensors; what is stored includes the adapter.
      table.setTotals(
        cells(
          ["total", "", ""], sum(\.tensors), sum(\.elements), sum(\.rawBytes), sum(\.storedBytes) + adapter.storedBytes)
      )
    }
    return table.text(width: width)
  }

  package var json: JSON {
    .array(
      rows.map { row in
        .dictionary([
          "component": .string(row.component), "operation": .string(row.operation.rawValue),
          "layers": .array(row.layers.sorted().map { JSON($0) }), "tensors": JSON(row.tensors),
          "weights": JSON(row.elements), "raw_bytes": JSON(row.rawBytes), "stored_bytes": JSON(row.storedBytes),
        ])
      })
  }
}
