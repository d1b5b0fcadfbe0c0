import Apply
import Checkpoints

extension Workspace {
  /// The steps that apply patches, or a stack, to a model in memory.
  /// - Parameters:
  ///   - patches: as NAME_OR_FILE[@SCALE]: a chain, or siblings that are summed.
  ///   - stack: of the store, or a stack file.
  package func overlay(_ patches: [String], stack: String?, over checkpoint: SafetensorsCheckpoint) throws
    -> [PatchStep]
  {
    if let stack { return try overlay(StackInput(stack, in: self), over: checkpoint) }
    switch try TypedPatches(patches, in: self) {
    case .chain(let steps): return steps
    case .stack(let input): return try overlay(input, over: checkpoint)
    }
  }

  private func overlay(_ input: StackInput, over checkpoint: SafetensorsCheckpoint) throws -> [PatchStep] {
    let library = StoreLibrary(input.patches, in: self, isLeasing: false)
    return try [PatchStep].stack(input.definition, name: input.name, over: ModelView(checkpoint), library, work)
  }

  /// What a user should know of steps over a model: findings, and side files that stay as they are.
  package func notes(of steps: [PatchStep], over checkpoint: SafetensorsCheckpoint) throws -> [String] {
    steps.findings.texts + Self.notes(sideFilesKept: try ModelView(checkpoint, steps).sideFilesKept())
  }

  package static func notes(sideFilesKept names: [String]) -> [String] {
    names.map { "\($0) differs from the file that the patch was made with, and was left as it is" }
  }
}
