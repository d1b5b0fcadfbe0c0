import Apply
import ArgumentParser
import Base
import PatchFormat
import Report

struct RebaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebase",
    abstract: "Move a patch to another base.",
    discussion: """
      Where both bases have the same weights the patch's own bits come of it; where they differ, what the patch adds to \
      the old base is added to the new one. That is another model: the patch says what it was moved from, and \
      measurements stay behind.

      EXAMPLES
        vpatch rebase clock --base with-counting/ --onto base/ -o clock-alone.vpatch
            takes a patch out of its chain: it was made on top of counting, and is moved to the base
      """)

  @Argument(help: "The patch.")
  var patch: String
  @Option(
    help: ArgumentHelp("What the patch was made from. (default: where the store saw it)", valueName: "model"))
  var base: String?
  @Option(help: ArgumentHelp("What it is to be made from.", valueName: "model"))
  var onto: String
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  func run() throws {
    let patch = try Inputs.patch(patch, common.work.threads, output.store)
    let (old, new) = (try Inputs.checkpoint(base ?? seen(patch), common), try Inputs.checkpoint(onto, common))
    let rebase = Rebase(patch, from: old, onto: new, common.work)
    let (result, stored) = try output.write(
      inputs: [patch.file] + (old.files + new.files).map(\.input), base: new.path, common
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
        \(PatchSummary(result.header).table())
        rebased   \(Format.counted(result.exact, "tensor")) with the patch's own bits, \(result.moved) by their difference\(result.sideFileSummary.patchLine)
        size      \(Format.grouped(result.fileSize)) bytes
        identity  \(result.header.identity.hex)
        wrote     \(output.output.printable)
        """
      ] + stored.lines).joined(separator: "\n"))
    common.notes(Findings(notFinite: result.notFinite))
    common.notes(stored)
  }

  /// Where the store saw the patch's base last; whether it still is that, `Rebase` finds out.
  private func seen(_ patch: Patch) throws -> String {
    let paths = try output.store.existing()?.sightings(patch.header.baseRoot) ?? []
    guard let path = try paths.first(where: { try PathKind.of($0) != .missing }) else {
      throw VPatchError(
        .refused, patch.label,
        "has to be compared with what it was made from, \(patch.header.baseRoot.short), and no "
          + "store has seen where that is", remedy: "give it: --base MODEL")
    }
    return path
  }
}
