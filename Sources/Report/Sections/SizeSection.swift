import Base

/// The size of the patch, compared with the tensors it changes and with the model; and by component.
struct SizeSection {
  package let subject: ReportedPatch

  package var html: String {
    let (patch, tuned, model) = (subject.patch.fileSize, subject.tunedBytes, subject.modelBytes)
    let whole = max(patch, model, 1)
    func bar(_ label: String, _ bytes: Int, _ detail: String) -> String {
      let share = Format.fixed(100 * Double(bytes) / Double(whole), 2)
      return "<div class=\"size\"><span>\(label)</span><i><b style=\"width:\(share)%\"></b></i>"
        + "<span><b>\(Format.bytes(bytes))</b> \(detail)</span></div>\n"
    }
    func share(_ whole: Int, _ of: String) -> String {
      whole > 0 ? "\(Format.percent(Double(patch) / Double(whole))) of \(of)" : ""
    }
    let parts = [share(tuned, "the tuned tensors"), share(model, "the model")].filter { !$0.isEmpty }
    func cells(_ first: [String], _ tensors: Int, _ elements: Int, _ raw: Int, _ stored: Int) -> [String] {
      first + [
        Format.grouped(tensors), Format.grouped(elements), Format.bytes(raw), Format.bytes(stored),
        elements == 0 ? "–" : Format.fixed(8 * Double(stored) / Double(elements), 3),
      ]
    }
    let summary = PatchSummary(subject.patch.header)
    var rows = summary.rows.map { row in
      cells(
        [
          Part.code(row.component), row.operation.rawValue,
          row.layers.isEmpty ? "–" : Format.ranges(row.layers.sorted()),
        ], row.tensors, row.elements, row.rawBytes, row.storedBytes)
    }
    let adapter = summary.adapter
    if adapter.tensors > 0 {
      rows.append(
        cells(["adapter", "factors", "–"], adapter.tensors, adapter.elements, adapter.rawBytes, adapter.storedBytes))
    }
    return Part.section(
      "Size",
      "<div class=\"sizes\">\n" + bar("model", model, Format.count(subject.modelWeights) + " weights")
        + bar("tuned tensors", tuned, Format.count(subject.tunedWeights) + " weights")
        + bar("patch", patch, parts.joined(separator: ", ")) + "</div>\n"
        + HTML.table(
          ["component", "change", "layers", "tensors", "weights", "raw", "stored", "bits/weight"], numeric: 3,
          rows: rows))
  }
}
