import Apply
import ArgumentParser
import Base
import Measure
import PatchFormat
import Report

struct ShowCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show a patch or a stack: contents, training, measurements.",
    discussion: """
      EXAMPLES
        vpatch show counting.vpatch
        vpatch show counting.vpatch --json | jq .identity
      """)

  @Argument(help: "The patch, or a stack of the store.", completion: .patchesAndStacks)
  var subject: String
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    if let (stack, _) = try workspace.stack(subject) { return try StackShow(stack, in: workspace, common).print() }
    let patch = try workspace.patch(subject)
    common.print(
      JSON.dictionary(["path": .string(try Path.absolute(patch.path))]).adding(patch.json.object ?? []),
      text: text(patch))
  }

  private func text(_ patch: Patch) -> String {
    let summary = PatchSummary(patch.header)
    let made = patch.annotations["made"]
    var lines: [String] = []
    func line(_ key: String, _ value: String?) {
      if let value { lines.append(key.padded(11) + value.printable) }
    }
    func count(_ value: JSON?) -> Int { value?.array?.count ?? 0 }
    line("name", patch.name)
    line("note", patch.annotations["note"]?.string)
    line("identity", patch.identity.hex)
    line("base", patch.header.baseRoot.hex)
    line("target", patch.header.targetRoot.hex)
    line(
      "model",
      "\(summary.layout.name), \(Format.counted(patch.header.tensors.count, "tensor")), \(patch.header.touched.count) touched"
    )
    line("recipe", patch.annotations["recipe"]?.string)
    line("size", "\(Format.grouped(patch.fileSize)) bytes")
    line("files", SideFileSummary(patch.annex).text)
    line("made by", made?["writer"]?.string)
    if let adapter = made?["adapter"] {
      let whose = adapter["base_model"]?.string.map { "of \($0), " } ?? ""
      let kept =
        patch.annex.adapter != nil
        ? "kept whole; 'vpatch export' writes it again"
        : patch.header.adapter.isEmpty ? "not kept" : "its factors are kept"
      line("adapter", "LoRA \(whose)base declared, not proved; \(kept)")
    }
    if count(made?["cast"]) > 0 {
      line("cast", "\(Format.counted(count(made?["cast"]), "float32 tensor")) rounded to the base's dtype")
    }
    if let keys = made?["keys"], let from = keys["from"]?.string, let to = keys["to"]?.string {
      line("renamed", "from \(from) to \(to)")
    }
    do {
      let training = try TrainingRecord(annotations: patch.annotations, subject: patch.label)
      for (key, value) in training?.lines ?? [] { line(key, value) }
    } catch {
      line("trained", "invalid: " + ((error as? VPatchError)?.reason ?? "\(error)"))
    }
    if count(made?["kept"]) > 0 {
      line("kept", "\(Format.counted(count(made?["kept"]), "tensor")) that the tuned checkpoint lacked")
    }
    if count(made?["dropped"]) > 0 { line("dropped", Format.counted(count(made?["dropped"]), "other changed tensor")) }
    var tables = ["", summary.table(width: common.width)]
    do {
      let report = try ForgettingReport(patch)
      for (key, value) in report.lines { line(key, value) }
      if !report.records.isEmpty || !report.foreign.isEmpty { tables.append(report.table(width: common.width)) }
    } catch {
      line("forgetting", "invalid: " + ((error as? VPatchError)?.reason ?? "\(error)"))
    }
    for signature in signatures(patch) { line("signed by", signature) }
    return (lines + tables).joined(separator: "\n")
  }

  /// Anyone can check that a signature is valid; whose it is, only those who know the key.
  private func signatures(_ patch: Patch) -> [String] {
    let (signatures, malformed) = PatchSignature.all(in: patch.annotations)
    let lines = signatures.map { signature in
      signature.isValid(for: patch.signedContent, patch.annotations)
        ? "\(signature.key.short) (valid; 'vpatch verify --signer KEY' checks whose key it is)"
        : "\(signature.key.short) (invalid: the patch was changed after signing)"
    }
    return lines + (malformed == 0 ? [] : ["\(Format.counted(malformed, "entry")) that is not a signature"])
  }
}
