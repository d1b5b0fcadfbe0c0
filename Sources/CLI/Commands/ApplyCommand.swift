import ArgumentParser

struct ApplyCommand: StoreCommand {
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
        vpatch apply base/ counting clock -o model/      a chain in its order, or siblings
        vpatch apply base/ counting@0.8 clock -o model/ --method ties --density 0.4
        vpatch apply base/ --stack triage -o model/
      """)

  @Argument(help: "The base checkpoint of the first patch.", completion: .file())
  var base: String
  @Argument(help: "Patches as NAME_OR_FILE[@SCALE]: a chain, or patches of one base.", completion: .patchesAndStacks)
  var patches: [String] = []
  @Option(
    help: ArgumentHelp("Stack to apply: its name in the store, or a stack file.", valueName: "name"),
    completion: .stacks)
  var stack: String?
  @OptionGroup(title: "Stacks") var merge: MergeOptions
  @Option(help: ArgumentHelp("Write the undo of a stack to this file instead of the store.", valueName: "file"))
  var undo: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var scales: ScaleOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  var allowsAnyScale: Bool { scales.anyScale }

  func validate() throws {
    if stack != nil, !patches.isEmpty { throw ValidationError("Give patches or --stack, not both.") }
    if stack == nil, patches.isEmpty { throw ValidationError("Give at least one patch, or --stack NAME.") }
    if stack != nil, merge.isGiven {
      throw ValidationError("The stack defines its own method: leave out --method and its parameters.")
    }
  }

  func run() throws {
    let output = self.output.modelOutput
    let written =
      try stack.map { try workspace.apply(stack: $0, to: base, undo: undo, output: output) }
      ?? workspace.apply(
        patches, method: merge.isGiven ? merge.mergeMethod() : nil, to: base, undo: undo, output: output)
    common.report(written, verb: "wrote")
  }
}
