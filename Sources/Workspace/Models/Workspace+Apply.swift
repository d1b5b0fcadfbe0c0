import Apply
import Base
import Checkpoints
import ModelFiles
import PatchFormat

/// Where a model is written, and how.
package struct ModelOutput: Sendable {
  /// A file for a file, a new folder for a folder.
  package let path: String
  /// Write the provenance into the files' metadata too.
  package let stamp: Bool
  /// Hash all tensors of the input, not only the touched ones.
  package let full: Bool
  /// Replace an existing file.
  package let force: Bool
  /// Copy side files that are links to outside the model's folder.
  package let allowsOutside: Bool

  package init(
    path: String, stamp: Bool = false, full: Bool = false, force: Bool = false, allowsOutside: Bool = false
  ) {
    self.path = path
    self.stamp = stamp
    self.full = full
    self.force = force
    self.allowsOutside = allowsOutside
  }
}

/// What was written, and the steps that led there.
package struct WrittenModel: Sendable {
  package let result: RebuildResult
  package let steps: [PatchStep]
}

extension Workspace {
  /// Applies a stack of the store, or of a stack file.
  /// - Parameter undo: write the stack's undo to this file instead of the store.
  /// - Throws: `wrongBase` if the model is not the stack's base; `refused` for an output that exists.
  package func apply(
    stack: String, to base: String, undo: String? = nil, output: ModelOutput
  ) throws -> WrittenModel {
    let checkpoint = try checkpoint(base)
    return try apply(StackInput(stack, in: self), to: checkpoint, undo, output)
  }

  /// Applies a chain of patches in its order, or siblings, which are combined.
  /// - Parameters:
  ///   - patches: as NAME_OR_FILE[@SCALE].
  ///   - method: how siblings are combined; nil: they are summed.
  ///   - undo: as above.
  /// - Throws: as above; `refused` for patches that are neither a chain nor siblings.
  package func apply(
    _ patches: [String], method: MergeMethod? = nil, to base: String, undo: String? = nil, output: ModelOutput
  ) throws -> WrittenModel {
    let checkpoint = try checkpoint(base)
    switch try TypedPatches(patches, method: method, in: self) {
    case .chain(let steps):
      if undo != nil {
        throw VPatchError(.refused, nil, "a chain needs no undo: its patches revert it", remedy: "leave out --undo")
      }
      return try write(checkpoint, steps, nil, output)
    case .stack(let input): return try apply(input, to: checkpoint, undo, output)
    }
  }

  private func apply(
    _ input: StackInput, to checkpoint: SafetensorsCheckpoint, _ undo: String?, _ output: ModelOutput
  ) throws -> WrittenModel {
    if undo != nil, input.definition.isOnePatch {
      throw VPatchError(
        .refused, nil, "a stack of one patch at scale 1 needs no undo: the patch reverts it",
        remedy: "leave out --undo")
    }
    let library = StoreLibrary(input.patches, in: self, isLeasing: undo == nil)
    if let undo {
      try OutputCheck.file(
        undo, inputs: checkpoint.inputs,
        force: output.force || OpenPatches.isComposite(undo, of: input.definition))
    }
    let kept: any PatchLibrary =
      try undo.map {
        try OpenPatches(
          input.definition.members.map { try library.patch($0.identity) }, undoPath: $0, replacing: output.force,
          scratchBeside: output.path)
      } ?? library
    let steps = try [PatchStep].stack(input.definition, name: input.name, over: ModelView(checkpoint), kept, work)
    return try write(checkpoint, steps, undo == nil ? library : nil, output)
  }

  /// - Parameter library: records the new model in the store; nil where its patches are files.
  private func write(
    _ checkpoint: SafetensorsCheckpoint, _ steps: [PatchStep], _ library: StoreLibrary?, _ output: ModelOutput
  ) throws -> WrittenModel {
    let rebuild = Rebuild(checkpoint, steps, work)
    let after = try rebuild.provenance(full: output.full).state
    func write() throws -> RebuildResult { try rebuild.write(to: output) }
    let result =
      try library?.entering(
        "apply", model: output.path, before: ModelState(base: steps[0].from), after: after, states: [after], write)
      ?? write()
    return WrittenModel(result: result, steps: steps)
  }
}

extension Rebuild {
  func write(to output: ModelOutput) throws -> RebuildResult {
    try write(
      to: output.path, stamp: output.stamp, full: output.full, force: output.force,
      allowsOutside: output.allowsOutside)
  }
}
