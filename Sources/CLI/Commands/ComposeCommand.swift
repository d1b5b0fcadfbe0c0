import Apply
import ArgumentParser
import Base
import Report

struct ComposeCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "compose",
    abstract: "Combine a chain of patches into one, bit for bit.",
    discussion: """
      The result leads from the base of the first patch to the target of the last. If several patches change the same \
      tensor, some encodings need the weights in between; then give the base.

      EXAMPLES
        vpatch compose counting.vpatch clock.vpatch -o both.vpatch
        vpatch compose counting.vpatch clock.vpatch -o both.vpatch --base base/
      """)

  @Argument(help: "Patches, each made on top of the previous one.", completion: .patches)
  var patches: [String]
  @Option(help: ArgumentHelp("The base of the first patch.", valueName: "model"))
  var base: String?
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  var store: StoreOptions { output.store }

  func run() throws {
    let chain = try patches.map { try workspace.patch($0) }
    let base = try base.map { try workspace.checkpoint($0) }
    let squash = try Squash(chain, base: base, common.work)
    let (result, stored) = try output.write(
      inputs: chain.map(\.file) + (base?.inputs ?? []), base: base?.path, common
    ) { path, _ in try squash.write(to: path, name: output.name, note: output.note, replacing: output.force) }
    let header = result.header
    let json = JSON.dictionary([
      "output": .string(output.output), "identity": .string(header.identity.hex), "base": .string(header.baseRoot.hex),
      "target": .string(header.targetRoot.hex), "copied_tensors": JSON(result.copied),
      "encoded_tensors": JSON(result.encoded), "bytes": JSON(result.fileSize), "changes": PatchSummary(header).json,
      "stored": stored.json,
    ]).adding(result.sideFileSummary.members)
    let before = chain.reduce(0) { $0 + $1.fileSize }
    common.report(
      json,
      text: ([
        """
        \(PatchSummary(header).table(width: common.width))
        composed  \(Format.counted(result.copied, "tensor")) copied, \(result.encoded) encoded again\(result.sideFileSummary.patchLine)
        size      \(Format.grouped(result.fileSize)) bytes; the \(chain.count) patches have \(Format.grouped(before))
        identity  \(header.identity.hex)
        wrote     \(output.output.printable)
        """
      ] + stored.lines).joined(separator: "\n"))
    common.notes(stored)
  }
}
