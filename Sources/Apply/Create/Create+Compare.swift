import Base
import Checkpoints

extension Create {
  /// A pair with the fingerprints of both sides.
  package struct Compared: Sendable {
    package let pair: Pair
    let baseFingerprint: ContentDigest?
    let targetFingerprint: ContentDigest?
    /// Losses from casting the tuned side.
    package let losses: CastLosses?
    package var differs: Bool { baseFingerprint != targetFingerprint }
    var entry: TiedTensors.Entry {
      TiedTensors.Entry(name: pair.name, base: baseFingerprint, target: targetFingerprint)
    }
  }

  /// Reads every tensor of both sides once.
  package func compare(_ pairs: [Pair]) throws -> [Compared] {
    let sizes = pairs.map { ($0.base?.info.byteCount ?? 0) + ($0.tuned?.info.byteCount ?? 0) }
    work.progress.begin("comparing", total: sizes.reduce(0, +))
    return try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      let pair = pairs[i]
      let tuned = tunedSource(pair, isCounting: true)
      let (base, target) = try fingerprints(pair, tuned)
      return Compared(
        pair: pair, baseFingerprint: base, targetFingerprint: target, losses: (tuned as? CastTensor)?.losses)
    }
  }

  private func fingerprints(_ pair: Pair, _ tuned: (any TensorSource)?) throws -> (ContentDigest?, ContentDigest?) {
    let base = baseSource(pair)
    if pair.isKept, pair.tuned == nil {
      let digest = try base?.fingerprint()
      return (digest, digest)
    }
    guard let base, let tuned, let target = pair.target, base.info == target else {
      // A fingerprint does not depend on the tensor's name.
      return (try base?.fingerprint(), try tuned?.fingerprint())
    }
    // One hash serves both sides as long as they are equal, which most tensors are throughout.
    let hasher = base.info.fingerprintHasher()
    var other: SHA256Hasher?
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { buffer.deallocate() }
    try base.forEachPiece(of: 1 << 18) { offset, bytes in
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes.count])
      try tuned.read(into: piece, at: offset)
      if other == nil, !bytes.elementsAreEqual(UnsafeRawBufferPointer(piece)) { other = SHA256Hasher(copying: hasher) }
      other?.update(UnsafeRawBufferPointer(piece))
      hasher.update(bytes)
    }
    let digest = hasher.finalize()
    return (digest, other?.finalize() ?? digest)
  }
}
