import Apply
import ArgumentParser
import Base
import Checkpoints
import ModelFiles

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Apply a patch, a chain of patches, or a stack to its base.",
    discussion: """
      Patches made on top of each other form a chain and are applied in order. Patches of one base are siblings and \
      form a stack: a merge method combines them, each with its scale, whatever the order they are given in.

      vpatch verifies the patch and the touched tensors of the base first, and the result before it gets its name. The \
      provenance is written beside the output: OUT.vpatch.json, or vpatch.json in a folder. The undo of a stack is \
      kept in the store, or in the file given with --undo.

      EXAMPLES
        vpatch apply base.safetensors counting.vpatch -o counting.safetensors
        vpatch apply base/ counting clock -o model/                  a chain in its order, or siblings
        vpatch apply base/ counting@0.8 clock -o model/ --method ties --density 0.4
        vpatch apply base/ --stack triage -o model/
      """)

  @Argument(help: "The base checkpoint of the first patch.")
  var base: String
  @Argument(help: "Patches as NAME_OR_FILE[@SCALE]: a chain, or patches of one base.")
  var patches: [String] = []
  @Option(help: ArgumentHelp("Stack to apply: its name in the store, or a stack file.", valueName: "name"))
  var stack: String?
  @OptionGroup(title: "Stacks") var merge: MergeOptions
  @Option(help: ArgumentHelp("Write the undo of a stack to this file instead of the store.", valueName: "file"))
  var undo: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if stack != nil, !patches.isEmpty { throw ValidationError("Give patches or --stack, not both.") }
    if stack == nil, patches.isEmpty { throw ValidationError("Give at least one patch, or --stack NAME.") }
    if stack != nil, merge.isGiven {
      throw ValidationError("The stack defines its own method: leave out --method and its parameters.")
    }
  }

  func run() throws {
    let checkpoint = try Inputs.checkpoint(base, common)
    if let stack { return try apply(StackInput(stack, store, common.work.threads), to: checkpoint) }
    let method = merge.isGiven ? try merge.mergeMethod() : nil
    switch try TypedPatches(patches, method: method, store, common.work.threads) {
    case .chain(let steps):
      if undo != nil {
        throw VPatchError(.refused, nil, "a chain needs no undo: its patches revert it", remedy: "leave out --undo")
      }
      try write(checkpoint, steps)
    case .stack(let input): try apply(input, to: checkpoint)
    }
  }

  private func apply(_ input: StackInput, to checkpoint: Checkpoint) throws {
    if undo != nil, input.definition.isOnePatch {
      throw VPatchError(
        .refused, nil, "a stack of one patch at scale 1 needs no undo: the patch reverts it",
        remedy: "leave out --undo")
    }
    let library = StoreLibrary(input.patches, store, isLeasing: undo == nil, threads: common.work.threads)
    if let undo {
      try OutputCheck.file(
        undo, inputs: checkpoint.files.map(\.input),
        force: output.force || OpenPatches.isComposite(undo, of: input.definition))
    }
    let kept: any PatchLibrary =
      try undo.map {
        try OpenPatches(
          input.definition.members.map { try library.patch($0.identity) }, undoPath: $0, replacing: output.force,
          scratchBeside: output.output)
      } ?? library
    let steps = try [PatchStep].stack(
      input.definition, name: input.name, over: ModelView(checkpoint), kept, common.work)
    try write(checkpoint, steps, undo == nil ? library : nil)
  }

  private func write(_ checkpoint: Checkpoint, _ steps: [PatchStep], _ library: StoreLibrary? = nil) throws {
    let rebuild = Rebuild(checkpoint, steps, common.work)
    let after = try rebuild.provenance(full: output.full).state
    func write() throws -> RebuildResult {
      try rebuild.write(
        to: output.output, stamp: output.stamp, full: output.full, force: output.force,
        allowsOutside: output.allowOutside)
    }
    let result =
      try library?.entering(
        "apply", model: output.output, before: ModelState(base: steps[0].from), after: after, states: [after],
        note: common.note, write) ?? write()
    common.report(result.json.adding(steps.findings.members), text: result.text("wrote"))
    common.notes(steps.findings)
    result.notes(common)
  }
}
