import Apply
import ArgumentParser
import Base
import Measure
import ModelFiles

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show which patches a model has, and verify its weights.",
    discussion: """
      Reads the provenance that vpatch wrote beside the model, and hashes the tensors that patches touched (--full: \
      all). It needs no store. For a model without provenance, vpatch hashes all tensors and prints the root.

      EXAMPLES
        vpatch status model.safetensors
        vpatch status model/ --full
      """)

  @Argument(help: "The model.", completion: .file())
  var model: String
  @Flag(help: "Hash all tensors, not only those that a patch touched.")
  var full = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let status = try ModelStatus(common.workspace().checkpoint(model), full: full, common.work)
    common.print(json(status), text: text(status))
    guard let contradiction = status.contradiction else { return }
    throw VPatchError(
      .mismatch, model, "does not match its provenance: \(contradiction)",
      remedy:
        "another program changed it; keep a copy, or make a patch of its state with 'vpatch create BASE MODEL'")
  }

  private func json(_ status: ModelStatus) -> JSON {
    let provenance = status.provenance?.summary
    func names(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
    return .dictionary([
      "model": .string(model), "ok": .bool(status.isTrue),
      "base": provenance?["base"], "root": (status.provenance?.target ?? status.hashedRoot).map { .string($0.hex) },
      "root_hashed": .bool(status.hashedRoot != nil), "patches": provenance?["patches"],
      "earlier_states": JSON(status.provenance?.history.count ?? 0),
      "verified_tensors": JSON(status.checked), "unverified_tensors": JSON(status.unverified),
      "changed": names(status.changed), "lacking": names(status.lacking), "extra": names(status.extra),
    ])
  }

  private func text(_ status: ModelStatus) -> String {
    var lines = [model.printable]
    func line(_ key: String, _ value: String) { lines.append("  " + key.padded(10) + value.printable) }
    guard let provenance = status.provenance else {
      line("root", status.hashedRoot!.hex)
      line("applied", "unknown: there is no provenance beside it")
      return lines.joined(separator: "\n")
    }
    line("base", provenance.base.hex)
    line("root", provenance.target.hex)
    if provenance.state.entries.isEmpty { line("applied", "nothing: it is the base") }
    for (i, entry) in provenance.state.entries.enumerated() {
      line(i == 0 ? "applied" : "", entry.text)
      for member in entry.stack?.memberLines ?? [] { line("", "  " + member) }
      line("", "  forgetting \(entry.summary.forgettingText)")
    }
    let hashed = status.isTrue ? "match the provenance" : "were hashed"
    let rest =
      status.unverified > 0
      ? "; \(Format.counted(status.unverified, "other")) not verified (--full hashes them)" : ", all of them"
    line("bits", "\(Format.counted(status.checked, "tensor")) \(hashed)\(rest)")
    if !provenance.history.isEmpty {
      line("earlier", "\(Format.counted(provenance.history.count, "state")) (vpatch revert --last)")
    }
    return lines.joined(separator: "\n")
  }
}

extension ModelState.Entry {
  /// Its forgetting: measured on exactly these weights, or for a stack predicted from its members.
  fileprivate var summary: ForgettingSummary {
    let own = ForgettingSummary(annotations: .object(details), base: from, target: to)
    guard let stack, own.status == .unmeasured else { return own }
    return .predicted(
      members: zip(stack.definition.members, stack.members).map { member, details in
        (member.scale, ForgettingSummary(annotations: .object(details), base: stack.definition.base))
      })
  }
}
