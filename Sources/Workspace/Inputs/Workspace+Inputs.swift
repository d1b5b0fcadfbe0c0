import Apply
import Base
import Catalogue
import Checkpoints
import PatchFormat

extension Workspace {
  /// A model's file or folder in safetensors form. Warns about weights beside it that are not read.
  /// - Parameter reading: which files of a folder that was saved twice are the model.
  package func checkpoint(
    _ path: String, reading: SafetensorsCheckpoint.Reading = .specified
  ) throws -> SafetensorsCheckpoint {
    try requireNoPatch(path)
    let checkpoint = try SafetensorsCheckpoint(path: path, reading: reading)
    try warn(of: checkpoint)
    return checkpoint
  }

  /// A checkpoint in any container, to be read only.
  package func readable(_ path: String) throws -> any Checkpoint {
    try requireNoPatch(path)
    let checkpoint = try Containers.open(path)
    try warn(of: checkpoint)
    return checkpoint
  }

  /// The tuned side of a new patch: a checkpoint, a LoRA adapter merged into the base, or a canonical delta.
  /// - Parameters:
  ///   - adapter: the folder of the adapter that was merged into the checkpoint; nil for none.
  ///   - prefix: what the names of the model's tensors begin with in a checkpoint of a training run; nil to find it.
  /// - Throws: `refused` for an adapter or a delta that does not fit the base.
  package func tuned(
    _ path: String, adapter: String?, prefix: String? = nil, over base: SafetensorsCheckpoint
  ) throws -> (any Checkpoint, AdapterPlan?) {
    let (tuned, plan) = try AdapterPlan.tunedSide(
      path, adapter: adapter, prefix: prefix, over: base, threads: work.threads
    ) { try readable($0) }
    if let left = (tuned as? AssembledCheckpoint)?.leftOut, let first = left.first {
      messages.note("\(Format.counted(left.count, "tensor")) left out that the model does not have, such as \(first)")
    }
    return (tuned, plan)
  }

  private func requireNoPatch(_ path: String) throws {
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch, not a checkpoint", remedy: "check the order of the arguments")
    }
  }

  private func warn(of checkpoint: some Checkpoint) throws {
    if let warning = try checkpoint.warning() { messages.warning(warning) }
  }
}
