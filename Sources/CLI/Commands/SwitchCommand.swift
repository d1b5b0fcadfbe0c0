import ArgumentParser
import Workspace

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

  @Argument(help: "The model: the stack's base, or a model that vpatch made from it.", completion: .file())
  var model: String
  @Argument(help: "The stack, or a patch as NAME_OR_FILE[@SCALE].", completion: .patchesAndStacks)
  var stack: String
  @Flag(help: "Also hash the untouched tensors.")
  var full = false
  @OptionGroup var inPlace: InPlaceArguments
  @OptionGroup var scales: ScaleOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  var allowsAnyScale: Bool { scales.anyScale }

  func run() throws {
    let changed = try workspace.switchModel(model, to: stack, inPlace.options(full: full))
    common.report(changed, verb: "switched")
  }
}
