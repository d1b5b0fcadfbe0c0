import Apply
import ArgumentParser
import PatchFormat

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Apply a patch, or a chain of patches, to its base.",
    discussion: """
      The whole patch and the touched tensors of the base are verified first, the result before it gets its name.
      Beside the output goes its provenance: OUT.vpatch.json, in a folder vpatch.json.

      EXAMPLES
        vpatch apply base.safetensors counting.vpatch -o counting.safetensors
        vpatch apply base/ counting.vpatch clock.vpatch -o model/     a chain, in its order
      """)

  @Argument(help: "The checkpoint that the first patch was made from.")
  var base: String
  @Argument(help: "Patches, each made on top of the one before.")
  var patches: [String]
  @OptionGroup var output: OutputOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let steps = try [PatchStep].chain(patches.map { try Inputs.patch($0, common.work.threads, store) })
    let rebuild = Rebuild(try Inputs.checkpoint(base), steps, common.work)
    let result = try rebuild.write(
      to: output.output, stamp: output.stamp, full: output.full, force: output.force)
    common.print(result.json, text: result.text("wrote"))
    result.remarks(common)
  }
}

struct RevertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert",
    abstract: "Take a patch off a model: gives the base's bits, from the model and the patch alone.",
    discussion: """
      EXAMPLES
        vpatch revert counting.safetensors counting.vpatch -o base.safetensors
        vpatch revert model/ clock.vpatch -o before-clock/      the last of a chain first
      """)

  @Argument(help: "The model that the patch makes.")
  var model: String
  @Argument(help: "The patch to take off.")
  var patch: String
  @OptionGroup var output: OutputOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let step = PatchStep(try Inputs.patch(patch, common.work.threads, store), .backward)
    let rebuild = Rebuild(try Inputs.checkpoint(model), [step], common.work)
    let result = try rebuild.write(
      to: output.output, stamp: output.stamp, full: output.full, force: output.force)
    common.print(result.json, text: result.text("reverted to"))
    result.remarks(common)
  }
}
