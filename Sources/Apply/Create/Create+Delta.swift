import Base
import Checkpoints

extension Create {
  private var delta: DeltaCheckpoint? { tuned as? DeltaCheckpoint }

  /// Compares the root digests of both sides with those in the index of a canonical delta that vpatch wrote.
  /// - Throws: `wrongBase` for another base; `mismatch` where the delta makes another model.
  func requireRoots(_ compared: [Compared]) throws {
    guard let delta, let roots = delta.index.roots else { return }
    let base = ContentDigest.root(
      of: compared.lazy.compactMap { item in item.baseFingerprint.map { (item.pair.name, $0) } })
    guard base == roots.base else {
      throw VPatchError(
        .wrongBase, self.base.path,
        "is not the base of \(delta.path.printable), although the tensors that it changes are the same: its root is "
          + "\(base.short)", remedy: "the delta needs the model with root \(roots.base.short)")
    }
    let target = ContentDigest.root(
      of: compared.lazy.compactMap { item in item.targetFingerprint.map { (item.pair.name, $0) } })
    guard target == roots.target else {
      throw VPatchError(
        .mismatch, delta.path,
        "makes a model with the root \(target.short), and its index says \(roots.target.short)",
        remedy: "copy the delta again from its source")
    }
  }

  /// The member `delta` of the annotation `made`.
  var deltaAnnotation: JSON? {
    delta.map {
      .dictionary([
        "version": .string($0.index.version), "base_version": .string($0.index.baseVersion),
        "checksum_format": .string($0.index.checksum.rawValue),
      ])
    }
  }
}
