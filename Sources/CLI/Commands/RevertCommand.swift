import Apply
import ArgumentParser
import Checkpoints
import ModelFiles
import PatchFormat

struct RevertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert",
    abstract: "Take patches off a model, in place or into a new one.",
    discussion: """
      Without PATCH the model goes back to its base, with --last one step: to what it was before it was last changed in \
      place, else without the last patch of its chain. A member of a stack can be taken out from the middle; the result \
      is that of a stack it never was in. With -o the model stays as it is, and the result is written there.

      EXAMPLES
        vpatch revert model/                          back to the base, in place
        vpatch revert model/ counting                 without that one
        vpatch revert model/ --last
        vpatch revert counting.safetensors counting.vpatch -o base.safetensors
      """)

  @Argument(help: "The model.")
  var model: String
  @Argument(help: "The patch to take off; without one all.")
  var patch: String?
  @Flag(help: "One step back.")
  var last = false
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the result there instead: a file, or a new folder.", valueName: "out"))
  var output: String?
  @Flag(help: "Replace an existing file.")
  var force = false
  @Flag(help: "Hash all tensors, not only those that are touched.")
  var full = false
  @Flag(help: "With -o: write the provenance into the files' metadata too.")
  var stamp = false
  @Flag(help: "With -o: copy side files that are links to somewhere outside of the model's folder, too.")
  var allowOutside = false
  @Option(help: ArgumentHelp("The model's base, where the undo of a stack is not at hand.", valueName: "model"))
  var base: String?
  @OptionGroup var inPlace: InPlaceOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if last, patch != nil { throw ValidationError("Give a patch or --last, not both.") }
    if base != nil, last || patch != nil {
      throw ValidationError("--base goes all the way back: leave out PATCH and --last.")
    }
    if output == nil, force || stamp || allowOutside {
      throw ValidationError("--force, --stamp and --allow-outside need -o.")
    }
    if output != nil, inPlace.byRename || inPlace.allowLinks {
      throw ValidationError("--by-rename and --allow-links change the model in place: leave out -o.")
    }
  }

  func run() throws {
    let checkpoint = try Inputs.checkpoint(model, common)
    let opened = try patch.map { try Inputs.patch($0, common.work.threads, store) }
    let library = StoreLibrary(opened.map { [$0] } ?? [], store, isLeasing: output == nil, threads: common.work.threads)
    if let opened, try !isKnown(opened, in: checkpoint) {
      // What lies beside the model says nothing of that patch: the bits decide.
      return try write([PatchStep(opened, .backward)], checkpoint, library)
    }
    let change = try ModelChange(checkpoint, library, common.work)
    if let base {
      let undo = try library.difference(
        from: Inputs.checkpoint(base, common), to: checkpoint, change.state, common)
      return try write([PatchStep(undo, .backward)], checkpoint, library, change)
    }
    let steps =
      try opened.map { try change.steps(without: $0.identity, called: patch!) }
      ?? (last ? change.stepsToLast() : change.stepsToBase())
    try write(steps, checkpoint, library, change)
  }

  private func isKnown(_ patch: Patch, in checkpoint: Checkpoint) throws -> Bool {
    try Provenance.of(checkpoint)?.state.mentions(patch.identity) ?? false
  }

  private func write(
    _ steps: [PatchStep], _ checkpoint: Checkpoint, _ library: StoreLibrary, _ change: ModelChange? = nil
  ) throws {
    guard let output else {
      let change = try change ?? ModelChange(checkpoint, library, common.work)
      return try InPlaceChange(change, steps, library, "revert", inPlace, full: full).run(common, verb: "reverted")
    }
    let result = try Rebuild(checkpoint, steps, common.work)
      .write(to: output, stamp: stamp, full: full, force: force, allowsOutside: allowOutside)
    common.report(result.json.adding(steps.findings.members), text: result.text("reverted to"))
    common.notes(steps.findings)
    result.notes(common)
  }
}
