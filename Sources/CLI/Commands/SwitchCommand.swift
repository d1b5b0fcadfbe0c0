import Apply
import ArgumentParser
import Base
import ModelFiles
import Workspace

/// The options of commands that change a model in place.
struct InPlaceArguments: ParsableArguments {
  @Flag(help: "Write whole files and rename them over the old ones: safe for a model that is being served.")
  var byRename = false

  @Flag(help: "Write through symbolic links, and into files with several hard links.")
  var allowLinks = false

  func options(full: Bool) -> InPlaceOptions {
    InPlaceOptions(full: full, allowLinks: allowLinks, byRename: byRename)
  }
}

struct SwitchCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "switch",
    abstract: "Switch a model to another stack of the same base, in place.",
    discussion: """
      Reads and writes only the tensors that change. vpatch verifies their old weights before the first write, and the \
      new ones after the last. If a switch is interrupted, run 'vpatch recover'. Programs that have the model \
      memory-mapped see weights change while the switch runs; with --by-rename they keep the old files until they open \
      the model again.

      STACK is a stack of the store, a stack file, or a patch with its scale.

      EXAMPLES
        vpatch switch model/ triage
        vpatch switch model.safetensors counting@0.8
        vpatch revert model/        reverts to the base
      """)

  @Argument(help: "The model: the stack's base, or a model that vpatch made from it.")
  var model: String
  @Argument(help: "The stack, or a patch as NAME_OR_FILE[@SCALE].")
  var stack: String
  @Flag(help: "Also hash the untouched tensors.")
  var full = false
  @OptionGroup var inPlace: InPlaceArguments
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let changed = try workspace.switchModel(model, to: stack, inPlace.options(full: full))
    common.report(changed, verb: "switched")
  }
}

extension CommonOptions {
  func report(_ changed: ChangedModel, verb: String) {
    report(changed.json, text: changed.text(verb))
    notes(changed.steps.findings)
    notes(sideFilesKept: changed.result.sideFilesKept)
  }

  func report(_ written: WrittenModel, verb: String) {
    report(written.result.json.adding(written.steps.findings.members), text: written.result.text(verb))
    notes(written.steps.findings)
    written.result.notes(self)
  }
}

extension ChangedModel {
  var json: JSON {
    JSON.dictionary([
      "model": .string(result.path), "from": .string(result.from.hex), "to": .string(result.to.hex),
      "base": .string(provenance.base.hex), "patches": provenance.summary["patches"],
      "touched_tensors": JSON(result.touchedTensors), "written_bytes": JSON(result.writtenBytes),
      "total_bytes": JSON(result.totalBytes), "unverified_tensors": JSON(result.unverifiedTensors),
      "files_exact": .bool(result.isFilesExact), "provenance": .string(result.provenancePath),
      "side_files_kept": .array(result.sideFilesKept.map { .string($0) }),
    ]).adding(result.sideFileSummary.members).adding(steps.findings.members)
  }

  func text(_ verb: String) -> String {
    let now = provenance.state.entries.map(\.title).joined(separator: ", then ")
    let untouched = provenance.verified.count + provenance.unverified.count - result.touchedTensors
    let rest =
      result.unverifiedTensors == 0
      ? "verified now or before"
      : result.unverifiedTensors == untouched
        ? "not verified (--full hashes them)" : "\(result.unverifiedTensors) of them not verified (--full hashes them)"
    return """
      \(verb) \(result.path.printable)
        now         \(now.isEmpty ? "the base" : now.printable)
        rewritten   \(Format.counted(result.touchedTensors, "tensor")), \(Format.bytes(result.writtenBytes)) of \
      \(Format.bytes(result.totalBytes)), verified before and after
        untouched   \(Format.counted(untouched, "tensor")), \(rest)\(result.sideFileSummary.modelLine)
        root        \(result.to.hex)\(result.unverifiedTensors == 0 ? "" : ", if the untouched tensors match the patch")
        provenance  \(result.provenancePath.printable)
      """
  }
}
