import Apply
import ArgumentParser
import Checkpoints
import Workspace

/// Patches that are applied to a model in memory.
struct OverlayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Patch to apply in memory; repeatable: a chain, or patches of one base, which are summed.",
      valueName: "name_or_file[@scale]"), completion: .patches)
  var patch: [String] = []
  @Option(
    help: ArgumentHelp("Stack to apply in memory: its name in the store, or a stack file.", valueName: "name"),
    completion: .stacks)
  var stack: String?
  @OptionGroup var scales: ScaleOptions

  func validate() throws {
    if stack != nil, !patch.isEmpty { throw ValidationError("Give --patch or --stack, not both.") }
  }

  var isEmpty: Bool { patch.isEmpty && stack == nil }

  /// The steps that apply the patches in memory. Prints their notes.
  func steps(over checkpoint: SafetensorsCheckpoint, in workspace: Workspace) throws -> [PatchStep] {
    let steps = try workspace.overlay(patch, stack: stack, over: checkpoint)
    for note in try workspace.notes(of: steps, over: checkpoint) { workspace.messages.note(note) }
    return steps
  }
}
