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
      Patches that are made one on top of the other form a chain and are applied in its order. Patches of one base are \
      siblings and form a stack: they are combined by a merge method, each with its scale, in an order of their own.

      The whole patch and the touched tensors of the base are verified first, the result before it gets its name. \
      Beside the output goes its provenance: OUT.vpatch.json, in a folder vpatch.json. A stack's undo is kept in the \
      store, or where --undo says.

      EXAMPLES
        vpatch apply base.safetensors counting.vpatch -o counting.safetensors
        vpatch apply base/ counting clock -o model/                  a chain, in its order, or siblings
        vpatch apply base/ counting@0.8 clock -o model/ --method ties --density 0.4
        vpatch apply base/ --stack triage -o model/
      """)

  @Argument(help: "The checkpoint that the first patch was made from.")
  var base: String
  @Argument(help: "Patches as NAME_OR_FILE[@SCALE]: a chain, or siblings.")
  var patches: [String] = []
  @Option(help: ArgumentHelp("Apply a stack of the store, or of a stack file.", valueName: "name"))
  var stack: String?
  @OptionGroup(title: "Stacks") var merge: MergeOptions
  @Option(help: ArgumentHelp("Write the undo of a stack there, and not into the store.", valueName: "file"))
  var undo: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if stack != nil, !patches.isEmpty { throw ValidationError("Give patches or --stack, not both.") }
    if stack == nil, patches.isEmpty { throw ValidationError("Give at least one patch, or --stack NAME.") }
    if stack != nil, merge.isGiven {
      throw ValidationError("The stack has its method: leave out --method and its parameters.")
    }
  }

  func run() throws {
    let checkpoint = try Inputs.checkpoint(base, common)
    if let stack { return try apply(StackInput(stack, store, common.work.threads), to: checkpoint) }
    let method = merge.isGiven ? try merge.mergeMethod() : nil
    switch try TypedPatches(patches, method: method, store, common.work.threads) {
    case .chain(let steps):
      if undo != nil {
        throw VPatchError(.refused, nil, "a chain needs no undo: its patches are that", remedy: "leave out --undo")
      }
      try write(checkpoint, steps)
    case .stack(let input): try apply(input, to: checkpoint)
    }
  }

  private func apply(_ input: StackInput, to checkpoint: Checkpoint) throws {
    if undo != nil, input.definition.isOnePatch {
      throw VPatchError(
        .refused, nil, "a stack of one patch at scale 1 needs no undo: the patch is that", remedy: "leave out --undo")
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
