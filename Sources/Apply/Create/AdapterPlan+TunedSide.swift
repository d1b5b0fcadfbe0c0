import Base
import Checkpoints

extension AdapterPlan {
  /// The tuned side of a new patch: a checkpoint, a LoRA adapter merged into the base, or a canonical delta applied to
  /// it.
  /// - Parameters:
  ///   - path: the checkpoint, or the folder of the adapter or the delta.
  ///   - adapter: the folder of the adapter that was merged into the checkpoint; nil for none.
  ///   - prefix: what the names of the model's tensors begin with in a checkpoint of a training run; nil to find it.
  ///   - threads: how many read a delta at once.
  ///   - open: opens a checkpoint.
  /// - Throws: `refused` for an adapter or a delta that does not fit the base, or a second adapter.
  package static func tunedSide(
    _ path: String, adapter: String?, prefix: String? = nil, over base: SafetensorsCheckpoint, threads: Int,
    open: (String) throws -> any Checkpoint
  ) throws -> (any Checkpoint, AdapterPlan?) {
    guard try PEFTAdapter.isOne(path) else {
      let isDelta = try SafetensorsCheckpoint.isDelta(folder: path)
      let open = isDelta ? { try DeltaCheckpoint(path: $0, over: base, threads: threads) } : open
      let checkpoint = try modelPart(open(path), over: base, prefix: prefix)
      return (checkpoint, try adapter.map { try AdapterPlan(PEFTAdapter(path: $0), over: base) })
    }
    if let adapter {
      throw VPatchError(
        .refused, adapter, "is a second adapter: \(path.printable) is one too",
        remedy: "leave out --adapter, or give the merged model in place of the first one")
    }
    let plan = try AdapterPlan(PEFTAdapter(path: path), over: base)
    return (AdaptedCheckpoint(plan), plan)
  }

  private static func modelPart(
    _ checkpoint: any Checkpoint, over base: SafetensorsCheckpoint, prefix: String?
  ) throws -> any Checkpoint {
    if let saved = checkpoint as? AssembledCheckpoint {
      return try TrainedModel.find(in: saved, over: base, prefix: prefix)
    }
    guard prefix == nil else {
      throw VPatchError(
        .refused, checkpoint.path, "is a model in safetensors form, from which no prefix is removed",
        remedy: "leave out --prefix; --map-keys auto maps other names")
    }
    return checkpoint
  }
}
