import Apply
import ArgumentParser
import PatchFormat

/// What `switch` does, for the tests of faults, with a patch instead of a stack.
struct InPlaceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "in-place", abstract: "Apply or revert a patch in place.", shouldDisplay: false)

  @Argument var model: String
  @Argument var patch: String
  @Flag var backward = false
  @Flag var full = false
  @Flag var allowLinks = false
  @Flag var byRename = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let step = PatchStep(try Inputs.patch(patch, common.work.threads, store), backward ? .backward : .forward)
    let rebuild = Rebuild(try Inputs.checkpoint(model), [step], common.work)
    let provenance = rebuild.provenance(full: full)
    let result = try rebuild.writeInPlace(
      provenance: provenance.base == provenance.target ? nil : provenance.text, full: full,
      allowLinks: allowLinks, byRename: byRename)
    common.print(.dictionary(["target": .string(result.to.hex)]), text: "switched \(model)")
  }
}
