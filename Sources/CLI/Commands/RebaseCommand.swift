import Apply
import ArgumentParser
import Base
import PatchFormat
import Report

struct RebaseCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebase",
    abstract: "Move a patch to another base.",
    discussion: """
      Where the bases have the same weights, the new patch makes exactly the old patch's weights. Where they differ, \
      the old patch's difference is added to the new base. The result is a different model: the new patch records what \
      it was rebased from, and measurements are not copied.

      EXAMPLES
        vpatch rebase clock --base with-counting/ --onto base/ -o clock-alone.vpatch
            takes a patch out of its chain: clock was made on top of counting and is moved to the base
      """)

  @Argument(help: "The patch.", completion: .patches)
  var patch: String
  @Option(
    help: ArgumentHelp("The base of the patch. (default: its last path known to the store)", valueName: "model"))
  var base: String?
  @Option(help: ArgumentHelp("The new base.", valueName: "model"))
  var onto: String
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  var store: StoreOptions { output.store }

  func run() throws {
    let patch = try workspace.patch(patch)
    let (old, new) = (try workspace.checkpoint(base ?? seen(patch)), try workspace.checkpoint(onto))
    let rebase = Rebase(patch, from: old, onto: new, common.work)
    let (result, stored) = try output.write(
      inputs: [patch.file] + old.inputs + new.inputs, base: new.path, common
    ) { path, _ in try rebase.write(to: path, name: output.name, note: output.note, replacing: output.force) }
    let json = JSON.dictionary([
      "output": .string(output.output), "identity": .string(result.header.identity.hex),
      "from": .string(patch.identity.hex), "base": .string(result.header.baseRoot.hex),
      "target": .string(result.header.targetRoot.hex), "exact_tensors": JSON(result.exact),
      "moved_tensors": JSON(result.moved), "not_finite": result.notFinite.json, "bytes": JSON(result.fileSize),
      "changes": PatchSummary(result.header).json, "stored": stored.json,
    ]).adding(result.sideFileSummary.members)
    common.report(
      json,
      text: ([
        """
        \(PatchSummary(result.header).table(width: common.width))
        rebased   \(Format.counted(result.exact, "tensor")) exact, \(result.moved) by adding the difference\(result.sideFileSummary.patchLine)
        size      \(Format.grouped(result.fileSize)) bytes
        identity  \(result.header.identity.hex)
        wrote     \(output.output.printable)
        """
      ] + stored.lines).joined(separator: "\n"))
    common.notes(Findings(notFinite: result.notFinite))
    common.notes(stored)
  }

  /// The last known path of the patch's base; `Rebase` checks whether it still is that base.
  private func seen(_ patch: Patch) throws -> String {
    let paths = try workspace.store.existing()?.sightings(patch.header.baseRoot) ?? []
    guard let path = try paths.first(where: { try PathKind.of($0) != .missing }) else {
      throw VPatchError(
        .refused, patch.label,
        "cannot be rebased without its base, \(patch.header.baseRoot.short), and the store does not know "
          + "where that is", remedy: "give it with --base MODEL")
    }
    return path
  }
}
