import Apply
import ArgumentParser
import Base
import PatchFormat

struct DiffCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compare two checkpoints, or two patches.",
    discussion: """
      Two checkpoints: relative change, cosine and share of changed weights, by component and layer.
      Two patches of one base: which tensors both change and, with --base, the cosine of their differences to the base \
      and the share of weights with sign conflicts, which they change in opposite directions.

      EXAMPLES
        vpatch diff base/ tuned/
        vpatch diff base/ tuned/ --html change.html
        vpatch diff counting.vpatch clock.vpatch --base base/
      """)

  @Argument(help: "A checkpoint or a patch.", completion: .patches)
  var a: String
  @Argument(help: "Another of the same kind.", completion: .patches)
  var b: String
  @Option(help: ArgumentHelp("The base of the two patches.", valueName: "model"))
  var base: String?
  @Option(help: ArgumentHelp("Write a self-contained HTML page with a heat map.", valueName: "file"))
  var html: String?
  @Flag(help: "Replace an existing page.")
  var force = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    // A name that is not a path can only be a patch in the store.
    let isPatch = try [a, b].map { try PathKind.of($0) == .missing || Patch.looksLikePatch(path: $0) }
    guard isPatch[0] == isPatch[1] else {
      throw VPatchError(
        .refused, isPatch[0] ? a : b, "is a patch and the other is not", remedy: "give two checkpoints or two patches")
    }
    if isPatch[0] { try patches() } else { try checkpoints() }
  }

  private func checkpoints() throws {
    guard base == nil else { throw VPatchError(.refused, nil, "--base requires two patches", remedy: "leave it out") }
    let (first, second) = (try workspace.readable(a), try workspace.readable(b))
    if let html {
      try OutputCheck.file(html, inputs: first.inputs + second.inputs, force: force)
    }
    let work = common.work
    work.progress.begin("comparing", total: first.totalBytes + second.totalBytes)
    let last = LastValue()
    let diff = try CheckpointDiff.compute(first, second, threads: work.threads) { done, _ in
      work.progress.advance(last.step(to: done))
    }
    if let html {
      let file = try OutputFile(path: html, replacing: force)
      try file.write(diff.html(), at: 0)
      try file.commit()
    }
    common.print(
      diff.json(), isReport: html != nil,
      text: diff.table(width: common.width) + (html.map { "\nwrote \($0.printable)" } ?? ""))
  }

  private func patches() throws {
    guard html == nil else {
      throw VPatchError(.refused, nil, "--html requires two checkpoints", remedy: "leave it out")
    }
    let diff = try PatchDiff(
      try workspace.patch(a), try workspace.patch(b),
      base: try base.map { try workspace.checkpoint($0) }, common.work)
    common.print(diff.json, text: diff.text(width: common.width))
  }
}
