import Apply
import Base
import Families

extension CheckpointDiff {
  /// The comparison for a terminal: changes by component, and a small map of layers and components.
  /// - Parameter width: of the terminal; nil: as wide as the tables.
  package func table(width: Int? = nil) -> String {
    let said = notes.map { "\($0.printable)\n" }.joined()
    var blocks = ["A  \(a.line)\nB  \(b.line)\n\(headline)\n\(said)"]
    let components = components
    if components.contains(where: { $0.all.changedTensors > 0 }) {
      blocks.append(componentTable(components, width))
      blocks += TextMap.all(of: components).map { $0.text(width: width) }
    }
    let differences = unmatchedLines
    if !differences.isEmpty { blocks.append(differences.map { "\($0)\n" }.joined()) }
    if total.change.nonFinite > 0 { blocks.append("\(nonFiniteNote)\n") }
    return blocks.joined(separator: "\n")
  }

  /// One sentence: how much of the model differs.
  var headline: String {
    if isIdentical { return "The two are identical: all \(Format.grouped(tensors.count)) tensors, bit for bit." }
    let total = total
    guard total.tensors > 0 else { return "The two have no tensor in common." }
    guard total.changedTensors > 0 else { return "All tensors that both have are the same, bit for bit." }
    return "\(Format.grouped(total.changedTensors)) of \(Format.grouped(total.tensors)) tensors differ, in "
      + "\(Format.grouped(total.change.changed)) of \(Format.grouped(total.change.elements)) elements "
      + "(\(Format.percent(total.change.share)))."
  }

  var nonFiniteNote: String {
    let count = total.change.nonFinite
    return
      "\(Format.grouped(count)) \(count == 1 ? "element is" : "elements are") NaN or infinite on one side or both; "
      + "the norms leave \(count == 1 ? "it" : "them") out."
  }

  private func componentTable(_ components: [ComponentSummary], _ width: Int?) -> String {
    var table = TextTable([
      .init("component"), .init("layers", rank: 1), .init("tensors", .right, rank: 3),
      .init("elements", .right, rank: 4), .init("changed", .right), .init("‖Δ‖/‖A‖", .right),
      .init("1 − cosine", .right), .init("max |Δ|", .right, rank: 2),
    ])
    func numbers(_ summary: Summary) -> [String] {
      let tensors =
        summary.changedTensors == summary.tensors
        ? "\(summary.tensors)" : "\(summary.changedTensors) of \(summary.tensors)"
      let change = summary.change
      return [
        tensors, Format.grouped(change.elements), Format.percent(change.share), Metric.relativeChange.text(change),
        Metric.angle.text(change), change.maxDelta.map { Format.significant($0) } ?? "–",
      ]
    }
    var unchanged = Summary()
    for component in components {
      if component.all.changedTensors > 0 {
        table.add([component.label, Format.ranges(component.changedLayers)] + numbers(component.all))
      } else {
        unchanged.merge(component.all)
      }
    }
    if unchanged.tensors > 0 {
      table.add(["(unchanged)", "", "\(unchanged.tensors)", Format.grouped(unchanged.change.elements)])
    }
    table.setTotals(["all", ""] + numbers(total))
    return table.text(width: width)
  }

  /// Tensors that could not be compared, at most ten of a kind, with control characters made visible.
  private var unmatchedLines: [String] {
    func lines<T>(_ items: [T], _ what: String, _ text: (T) -> String) -> [String] {
      let rest = items.count > 10 ? ["… and \(Format.grouped(items.count - 10)) more \(what)"] : []
      return items.prefix(10).map { "\(what)  " + text($0).printable } + rest
    }
    return lines(added, "added   ") { "\($0.name)  \($0.b!.typeDescription)" }
      + lines(removed, "removed ") { "\($0.name)  \($0.a!.typeDescription)" }
      + lines(reshaped, "reshaped") { "\($0.name)  \($0.a!.typeDescription) → \($0.b!.typeDescription)" }
      + lines(retyped, "retyped ") { "\($0.name)  \($0.dtype) → \($0.dtypeB)" }
  }
}

extension CheckpointDiff.Side {
  fileprivate var line: String { "\(path.printable)  (\(facts))" }

  /// "272 tensors, 269 MB"
  package var facts: String { "\(Format.grouped(tensors)) tensor\(tensors == 1 ? "" : "s"), \(Format.bytes(bytes))" }
}

/// The relative change of layers (columns) and components (rows), one character each.
private struct TextMap {
  private static let steps = Array("▁▂▃▄▅▆▇█")

  let title: String
  let layers: [Int]
  let rows: [CheckpointDiff.ComponentSummary]

  /// A map for each region whose layers changed.
  static func all(of components: [CheckpointDiff.ComponentSummary]) -> [TextMap] {
    Component.Region.allCases.compactMap { region in
      let layered = components.filter { $0.region == region && !$0.layers.isEmpty }
      let rows = layered.filter { !$0.changedLayers.isEmpty }
      let layers = Set(layered.flatMap(\.layers.keys)).sorted()
      guard !rows.isEmpty, layers.count > 1, layers.count <= 200 else { return nil }
      return TextMap(title: region == .decoderLayer ? "layer" : "\(region) layer", layers: layers, rows: rows)
    }
  }

  /// - Parameter width: of the terminal; a map of more layers continues below.
  func text(width: Int?) -> String {
    let labels = max(title.columnWidth, rows.map(\.label.columnWidth).max() ?? 0)
    let room = max(16, (width ?? 250) - labels - 2)
    // Short maps are stretched for readability.
    let repetitions = layers.count <= 16 ? 3 : layers.count <= 40 ? 2 : 1
    let marks = layers.count * repetitions - 1 <= room ? repetitions : 1
    let scale = Metric.relativeChange.scale(rows.flatMap(\.layers.values).map(\.change))
    let parts = stride(from: 0, to: layers.count, by: room / marks).map { start in
      part(Array(layers[start..<min(start + room / marks, layers.count)]), marks, scale)
    }
    let ends = "▁ ≤ \(Format.significant(scale.low, 1))  █ \(Format.significant(scale.high, 1))"
    return parts.joined() + "relative change, logarithmic: \(ends)  · unchanged\n"
  }

  private func part(_ layers: [Int], _ repetitions: Int, _ scale: ColorScale) -> String {
    let metric = Metric.relativeChange
    var table = TextTable([.init(title), .init(trimmed(ruler(layers, repetitions)))])
    for row in rows {
      let cells = layers.map { layer -> String in
        guard let summary = row.layers[layer] else { return mark(" ", repetitions) }
        guard summary.change.changed > 0 else { return mark("·", repetitions) }
        let step = metric.value(summary.change).map { scale.step($0, of: Self.steps.count) } ?? Self.steps.count - 1
        return mark(Self.steps[step], repetitions)
      }
      table.add([row.label, trimmed(cells.joined())])
    }
    return table.text()
  }

  /// A column of one mark, or two or three wide with a gap between columns.
  private func mark(_ mark: Character, _ width: Int) -> String {
    String(repeating: mark, count: max(width - 1, 1)) + (width > 1 ? " " : "")
  }

  private func trimmed(_ text: String) -> String { text.last == " " ? String(text.dropLast()) : text }

  private func ruler(_ layers: [Int], _ width: Int) -> String {
    var text = ""
    for (i, layer) in layers.enumerated() where text.count <= i * width && (width > 2 || i * width % 10 < width) {
      text += String(repeating: " ", count: i * width - text.count) + "\(layer) "
    }
    return text
  }
}
