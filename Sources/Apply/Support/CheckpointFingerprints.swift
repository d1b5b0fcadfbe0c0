import PatchFormat

extension Checkpoint {
  /// The fingerprints of these tensors, in their order, each read once.
  public func fingerprints(of tensors: [Tensor], _ work: WorkOptions, phase: String) throws -> [Digest] {
    work.progress.begin(phase, total: tensors.reduce(0) { $0 + $1.info.byteCount })
    let digests = try LargestFirst.map(tensors.map(\.info.byteCount), threads: work.threads) { i in
      let digest = try StoredTensor(tensors[i], in: self).fingerprint()
      work.progress.advance(tensors[i].info.byteCount)
      return digest
    }
    try requireSameBytes()
    return digests
  }

  /// Who this checkpoint is: all of it is read.
  public func root(_ work: WorkOptions) throws -> Digest {
    let digests = try fingerprints(of: tensors, work, phase: "hashing")
    return Digest.root(of: zip(tensors, digests).lazy.map { ($0.name, $1) })
  }
}

/// Parallel work in which the largest pieces start first, so that none is left to run alone at the end.
enum LargestFirst {
  static func map<T: Sendable>(_ sizes: [Int], threads: Int, _ body: @Sendable (Int) throws -> T) throws -> [T] {
    let order = sizes.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }
    let results = try Parallel.map(order.count, threads: threads) { try body(order[$0]) }
    var sorted = [T?](repeating: nil, count: sizes.count)
    for (i, result) in zip(order, results) { sorted[i] = result }
    return sorted.map { $0! }
  }
}
