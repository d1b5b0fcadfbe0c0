import Base
import Checkpoints
import PatchFormat

extension Patch {
  /// The root of a checkpoint, from hashing all of it. It must be the patch's target or base.
  /// - Parameter direction: `forward` for the model that the patch makes, `backward` for its base.
  /// - Throws: `wrongBase` where it is another model.
  package func checkedRoot(of checkpoint: SafetensorsCheckpoint, endOf direction: Direction, _ work: WorkOptions) throws
    -> ContentDigest
  {
    let root = try checkpoint.root(work)
    let (own, other) =
      direction == .forward ? (header.targetRoot, header.baseRoot) : (header.baseRoot, header.targetRoot)
    let what = direction == .forward ? "the model that \(Path.name(path)) makes" : "the base of \(Path.name(path))"
    guard root == own else {
      let isOther = root == other
      throw VPatchError(
        .wrongBase, checkpoint.path,
        isOther
          ? "is \(direction == .forward ? "the patch's base" : "what the patch makes"), not \(what)"
          : "is not \(what): its root is \(root.short), not \(own.short)",
        remedy: isOther ? "are the two models swapped?" : "give the model that was evaluated, if it is the patch's")
    }
    return root
  }
}
