import Base

extension Checkpoint {
  /// The fingerprints of these tensors, in their order. Each tensor is read once.
  package func fingerprints(of tensors: [CheckpointTensor], _ work: WorkOptions, phase: String) throws
    -> [ContentDigest]
  {
    work.progress.begin(phase, total: tensors.reduce(0) { $0 + $1.info.byteCount })
    let digests = try LargestFirst.map(tensors.map(\.info.byteCount), threads: work.threads) { i in
      let digest = try source(of: tensors[i]).fingerprint()
      work.progress.advance(tensors[i].info.byteCount)
      return digest
    }
    try requireSameBytes()
    return digests
  }

  /// The root digest of the checkpoint. Reads all tensors.
  package func root(_ work: WorkOptions) throws -> ContentDigest {
    let digests = try fingerprints(of: tensors, work, phase: "hashing")
    return ContentDigest.root(of: zip(tensors, digests).lazy.map { ($0.name, $1) })
  }
}
