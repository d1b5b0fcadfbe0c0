import Apply
import ArgumentParser
import Base
import Measure
import ModelFiles

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Say what a model is, and whether its bits agree.",
    discussion: """
      Reads the provenance that vpatch wrote beside the model and hashes the tensors that patches touched (--full: all).
      It needs no store. A model without a provenance is hashed whole, and its root is said.

      EXAMPLES
        vpatch status model.safetensors
        vpatch status model/ --full
      """)

  @Argument(help: "The model.")
  var model: String
  @Flag(help: "Hash all tensors, not only those that a patch touched.")
  var full = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let status = try ModelStatus(Inputs.checkpoint(model, common), full: full, common.work)
    common.print(json(status), text: text(status))
    guard let contradiction = status.contradiction else { return }
    throw VPatchError(
      .mismatch, model, "is no longer what was written beside it: \(contradiction)",
      remedy:
        "it was changed by something else; keep a copy of it, 'vpatch create BASE MODEL' makes a patch of what it is")
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
      line("applied", "unknown: no provenance lies beside it")
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
    let hashed = status.isTrue ? "are what is written here" : "were hashed"
    let rest =
      status.unverified > 0
      ? "; \(Format.counted(status.unverified, "other")) unverified (--full hashes them)" : ", all of them"
    line("bits", "\(Format.counted(status.checked, "tensor")) \(hashed)\(rest)")
    if !provenance.history.isEmpty {
      line("earlier", "\(Format.counted(provenance.history.count, "state")) (vpatch revert --last)")
    }
    return lines.joined(separator: "\n")
  }
}

extension ModelState.Entry {
  /// What is known of its forgetting: measured on exactly its bits, else, of a stack, predicted from its members.
  fileprivate var summary: ForgettingSummary {
    let own = ForgettingSummary(annotations: .object(details), base: from, target: to)
    guard let stack, own.status == .unmeasured else { return own }
    return .predicted(
      members: zip(stack.definition.members, stack.members).map { member, details in
        (member.scale, ForgettingSummary(annotations: .object(details), base: stack.definition.base))
      })
  }
}
