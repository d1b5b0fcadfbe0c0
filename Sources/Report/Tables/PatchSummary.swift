import Base
import Checkpoints
import Families
import PatchFormat

/// What a patch changes, by component and layer, as text and as JSON.
package struct PatchSummary: Sendable {
  /// How much some tensors are.
  package struct Amount: Sendable {
    package var tensors = 0
    package var elements = 0
    package var rawBytes = 0
    package var storedBytes = 0

    fileprivate mutating func add(_ info: TensorInfo, stored: Int) {
      tensors += 1
      elements += info.elementCount
      rawBytes += info.byteCount
      storedBytes += stored
    }

    /// The cells of a table: tensors, weights, raw, stored, bits/weight.
    var cells: [String] {
      [
        Format.grouped(tensors), Format.grouped(elements), Format.bytes(rawBytes), Format.bytes(storedBytes),
        elements == 0 ? "–" : Format.fixed(8 * Double(storedBytes) / Double(elements), 3),
      ]
    }
  }

  /// The tensors of one component with the same operation.
  package struct Row: Sendable {
    package let component: String
    package let operation: TensorOperation
    package var layers: Set<Int>
    package var amount: Amount

    /// The cells of a table, after the component: change, layers, and the amount's.
    var cells: [String] {
      [operation.rawValue, layers.isEmpty ? "–" : Format.ranges(layers.sorted())] + amount.cells
    }
  }

  package let rows: [Row]
  /// The tensors of the adapter that the patch holds.
  package let adapter: Amount
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
          layers: [], amount: Amount())
      if let layer = component.layer { row.layers.insert(layer) }
      row.amount.add((tensor.target ?? tensor.base)!.info, stored: tensor.storedBytes)
      rows[key] = row
    }
    adapter = header.adapter.reduce(into: Amount()) { $0.add($1.tensor.info, stored: $1.storedBytes) }
    self.rows = rows.sorted { $0.key < $1.key }.map(\.value)
    self.layout = layout
  }

  /// The row of the adapter's factors; nil without an adapter.
  var adapterCells: [String]? { adapter.tensors > 0 ? ["adapter", "factors", "–"] + adapter.cells : nil }

  /// - Parameter width: of the terminal; nil: as wide as the table.
  package func table(width: Int? = nil) -> String {
    let areChanges = rows.allSatisfy { $0.operation == .change }
    var table = TextTable([
      .init("component"), .init("change", rank: areChanges ? 4 : 0), .init("layers", rank: 1),
      .init("tensors", .right, rank: 2), .init("weights", .right), .init("raw", .right, rank: 3),
      .init("stored", .right), .init("bits/weight", .right),
    ])
    for row in rows { table.add([row.component] + row.cells) }
    if let adapterCells { table.add(adapterCells) }
    if rows.count > 1 || adapter.tensors > 0 {
      func sum(_ value: (Row) -> Int) -> Int { rows.reduce(0) { $0 + value($1) } }
      // Of the model's tensors; what is stored includes the adapter.
      let total = Amount(
        tensors: sum(\.amount.tensors), elements: sum(\.amount.elements), rawBytes: sum(\.amount.rawBytes),
        storedBytes: sum(\.amount.storedBytes) + adapter.storedBytes)
      table.setTotals(["total", "", ""] + total.cells)
    }
    return table.text(width: width)
  }

  package var json: JSON {
    .array(
      rows.map { row in
        .dictionary([
          "component": .string(row.component), "operation": .string(row.operation.rawValue),
          "layers": .array(row.layers.sorted().map { JSON($0) }), "tensors": JSON(row.amount.tensors),
          "weights": JSON(row.amount.elements), "raw_bytes": JSON(row.amount.rawBytes),
          "stored_bytes": JSON(row.amount.storedBytes),
        ])
      })
  }
}
