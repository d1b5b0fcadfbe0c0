import ArgumentParser
import Workspace

struct RevertCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert",
    abstract: "Remove patches from a model, in place or into a new model.",
    discussion: """
      Without PATCH the model is reverted to its base. --last reverts one step: the last change in place, or else the \
      last patch of the chain. Any member of a stack can be removed; the result is that of a stack that never had it. \
      With -o the model stays unchanged and the result is written to a new one.

      EXAMPLES
        vpatch revert model/                          to the base, in place
        vpatch revert model/ counting                 without the patch counting
        vpatch revert model/ --last
        vpatch revert counting.safetensors counting.vpatch -o base.safetensors
      """)

  @Argument(help: "The model.", completion: .file())
  var model: String
  @Argument(help: "The patch to remove. (default: all)", completion: .patches)
  var patch: String?
  @Flag(help: "Revert only the last step.")
  var last = false
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output path: a file for a file, a new folder for a folder. (default: in place)", valueName: "out"))
  var output: String?
  @Flag(help: "Replace an existing file.")
  var force = false
  @Flag(help: "Hash all tensors, not only those that the patches touch.")
  var full = false
  @Flag(help: "With -o: also write the provenance into the files' metadata.")
  var stamp = false
  @Flag(help: "With -o: also copy side files that are links to outside the model's folder.")
  var allowOutside = false
  @Option(help: ArgumentHelp("The model's base, if the undo of a stack is not available.", valueName: "model"))
  var base: String?
  @OptionGroup var inPlace: InPlaceArguments
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if last, patch != nil { throw ValidationError("Give a patch or --last, not both.") }
    if base != nil, last || patch != nil {
      throw ValidationError("--base reverts everything: leave out PATCH and --last.")
    }
    if output == nil, force || stamp || allowOutside {
      throw ValidationError("--force, --stamp and --allow-outside require -o.")
    }
    if output != nil, inPlace.byRename || inPlace.allowLinks {
      throw ValidationError("--by-rename and --allow-links change the model in place: leave out -o.")
    }
  }

  func run() throws {
    let target: RevertTarget =
      patch.map { .patch($0) } ?? base.map { .differenceTo(base: $0) } ?? (last ? .last : .base)
    guard let output else {
      return common.report(try workspace.revert(model, target, inPlace.options(full: full)), verb: "reverted")
    }
    let place = ModelOutput(path: output, stamp: stamp, full: full, force: force, allowsOutside: allowOutside)
    common.report(try workspace.revert(model, target, output: place), verb: "reverted to")
  }
}
