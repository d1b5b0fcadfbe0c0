import Apply
import Base
import Checkpoints

extension CheckpointDiff {
  /// More rows would make the page too large; `--json` has them all.
  private static let maximumRows = 3000

  func componentSection(_ components: [ComponentSummary], _ scales: [Metric: ColorScale]) -> String {
    let changed = components.filter { $0.all.changedTensors > 0 }
    guard !changed.isEmpty else { return "" }
    func row(_ label: String, _ layers: String, _ summary: Summary) -> [String] {
      [label, layers, "\(summary.changedTensors) of \(summary.tensors)"] + numbers(summary.change)
    }
    var rows = changed.prefix(Self.maximumRows).map { component in
      let chip = "<i class=\"chip \(ChangeMaps.classes(component.all.change, scales))\"></i>"
      return row(
        "\(chip)<code>\(HTML.escaped(component.label))</code>", Format.ranges(component.changedLayers), component.all)
    }
    rows.append(row("<b>all</b>", "", total))
    let rest = components.count - changed.count
    return """
      <section>
      <div class="head"><h2>Components</h2><span class="soft">\(rest) unchanged</span></div>
      \(HTML.table(["component", "layers changed", "tensors"] + Self.titles, numeric: 2, rows: rows))</section>

      """
  }

  var tensorSection: String {
    let changed = changed
    guard !changed.isEmpty else { return "" }
    let rows = changed.prefix(Self.maximumRows).map { tensor in
      let type = TensorInfo(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, byteCount: 0).typeDescription
      return ["<code>\(HTML.escaped(tensor.name))</code>", type] + numbers(tensor.change)
    }
    let more =
      changed.count > rows.count
      ? "<p class=\"soft\">\(Format.grouped(changed.count - rows.count)) more in the output of --json.</p>" : ""
    return """
      <section>
      <details\(changed.count <= 40 ? " open" : "")><summary>All \(Format.grouped(changed.count)) changed tensors</summary>
      \(HTML.table(["tensor", "type"] + Self.titles, numeric: 2, rows: rows))\(more)</details>
      </section>

      """
  }

  var unmatchedSection: String {
    var rows: [[String]] = []
    func add(_ what: String, _ name: String, _ a: String, _ b: String) {
      rows.append([what, "<code>\(HTML.escaped(name))</code>", a, b])
    }
    for tensor in added { add("added", tensor.name, "", tensor.b!.typeDescription) }
    for tensor in removed { add("removed", tensor.name, tensor.a!.typeDescription, "") }
    for tensor in reshaped { add("reshaped", tensor.name, tensor.a!.typeDescription, tensor.b!.typeDescription) }
    for tensor in retyped { add("retyped", tensor.name, tensor.dtype.name, tensor.dtypeB.name) }
    guard !rows.isEmpty else { return "" }
    let more =
      rows.count > Self.maximumRows
      ? "<p class=\"soft\">\(Format.grouped(rows.count - Self.maximumRows)) more are in the JSON output.</p>" : ""
    return """
      <section>
      <div class="head"><h2>Added, removed, or with another shape or type</h2></div>
      \(HTML.table(["", "tensor", "A", "B"], numeric: 4, rows: Array(rows.prefix(Self.maximumRows))))\(more)</section>

      """
  }

  private static let titles = ["elements", "changed", "relative change", "1 − cosine", "max |Δ|"]

  private func numbers(_ change: Change) -> [String] {
    let percent = Format.fixed(100 * change.share, 1)
    return [
      Format.grouped(change.elements),
      "<span class=\"meter\"><i style=\"width:\(percent)%\"></i></span>\(Format.percent(change.share))",
      Metric.relativeChange.text(change), Metric.angle.text(change),
      change.maxDelta.map { Format.significant($0) } ?? "–",
    ]
  }
}
