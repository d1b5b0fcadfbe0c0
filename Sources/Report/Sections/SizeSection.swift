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
    let summary = PatchSummary(subject.patch.header)
    let rows = summary.rows.map { [Part.code($0.component)] + $0.cells } + [summary.adapterCells].compactMap(\.self)
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
