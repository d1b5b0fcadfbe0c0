import Base
import PatchFormat

/// The README of an extracted adapter: what it is, and how far from the patch.
struct ExtractionReadme {
  let patch: PatchHeader
  let label: String
  let matrices: [AdapterExtraction.Matrix]
  /// Names of tensors that are saved whole.
  let whole: [String]

  var text: String {
    var lines = [
      "# An approximation of a patch", "",
      "vpatch \(vpatchVersion) made this LoRA adapter from the patch \(label.printable) (\(patch.identity.hex)) by singular "
        + "value decomposition. It is not the fine-tune: each changed matrix is replaced by the nearest product of two "
        + "factors. The patch itself is exact.", "",
      "Base: root \(patch.baseRoot.hex).", "",
    ]
    if !matrices.isEmpty {
      lines += ["| matrix | rank | error, share of the change |", "|---|---:|---:|"]
      lines += matrices.map { "| \($0.name.printable) | \($0.rank) | \(Format.significant($0.relativeError)) |" }
      lines.append("")
    }
    if !whole.isEmpty { lines += ["Saved whole, rounded by nothing:", ""] + whole.map { "- \($0.printable)" } + [""] }
    return lines.joined(separator: "\n")
  }
}
