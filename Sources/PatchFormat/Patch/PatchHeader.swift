import Base
import Checkpoints

/// The index of a patch: its identity, the operation on each tensor, and the places of the bytes (spec, section 3.1).
package struct PatchHeader: Sendable, Equatable {
  package let baseRoot: ContentDigest
  package let targetRoot: ContentDigest
  package let identity: ContentDigest
  /// All tensors of either side, in ascending order of the names' bytes.
  package let tensors: [PatchTensor]
  package let payloadBytes: Int
  package let annex: Section
  /// The tensors of the adapter that it was made with, in ascending order of the names' bytes. Their chunks follow those
  /// of `tensors` in the payload.
  package let adapter: [AdapterTensor]

  /// The stored annex: lengths and digest.
  package struct Section: Sendable, Equatable {
    package let stored: Int
    package let decoded: Int
    package let digest: ContentDigest
  }

  static let maximumDecoded = 64 << 20
  static let maximumAnnex = 128 << 20

  /// - Parameter tensors: in ascending order of name.
  package init(tensors: [PatchTensor], adapter: [AdapterTensor] = [], payloadBytes: Int, annex: Section) {
    self.tensors = tensors
    self.adapter = adapter
    self.payloadBytes = payloadBytes
    self.annex = annex
    baseRoot = Self.root(tensors.compactMap(\.base))
    targetRoot = Self.root(tensors.compactMap(\.target))
    identity = Self.identity(baseRoot, targetRoot, tensors)
  }

  private static func root(_ tensors: [FingerprintedTensor]) -> ContentDigest {
    ContentDigest.root(of: tensors.lazy.map { ($0.info.name, $0.fingerprint) })
  }

  package static func identity(_ baseRoot: ContentDigest, _ targetRoot: ContentDigest, _ tensors: [PatchTensor])
    -> ContentDigest
  {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.identity.1\n")
    hasher.update(baseRoot.bytes)
    hasher.update(targetRoot.bytes)
    for tensor in tensors where tensor.operation != .same {
      hasher.update([tensor.operation.code])
      hasher.update(tensor.name.lengthPrefixed)
      hasher.update((tensor.base?.fingerprint ?? .zero).bytes)
      hasher.update((tensor.target?.fingerprint ?? .zero).bytes)
    }
    return hasher.finalize()
  }

  package var touched: [PatchTensor] { tensors.filter { $0.operation != .same } }

  /// The features that a reader must know.
  package var flags: PatchFlags {
    var flags: PatchFlags = []
    if !adapter.isEmpty { flags.insert(.lowRank) }
    if tensors.contains(where: { $0.copy != nil }) { flags.insert(.copies) }
    return flags
  }

  // MARK: Writing

  /// Canonical JSON.
  package func encoded() -> [UInt8] {
    JSON.dictionary([
      "format": .string("vpatch"),
      "base": .string(baseRoot.hex),
      "target": .string(targetRoot.hex),
      "identity": .string(identity.hex),
      "payload": JSON(payloadBytes),
      "annex": .dictionary([
        "stored": JSON(annex.stored), "decoded": JSON(annex.decoded), "sha256": .string(annex.digest.hex),
      ]),
      "tensors": .array(tensors.map(Self.entry)),
      "adapter": adapter.isEmpty ? nil : .array(adapter.map(Self.entry)),
    ]).canonical()
  }

  private static func side(_ side: FingerprintedTensor) -> JSON {
    .dictionary([
      "dtype": .string(side.info.dtype.name), "shape": .array(side.info.shape.map { JSON($0) }),
      "fingerprint": .string(side.fingerprint.hex),
    ])
  }

  private static func list(_ chunks: [Chunk]) -> JSON {
    .array(
      chunks.map { chunk in
        .array([
          .string(chunk.role.rawValue), JSON(chunk.offset), JSON(chunk.stored), JSON(chunk.decoded),
          .string(chunk.digest.hex),
        ])
      })
  }

  private static func entry(_ tensor: AdapterTensor) -> JSON {
    side(tensor.tensor).setting("name", to: .string(tensor.name)).setting("chunks", to: list(tensor.chunks))
  }

  private static func entry(_ tensor: PatchTensor) -> JSON {
    let unknown = [tensor.base, tensor.target].contains { $0.map { !$0.info.dtype.isKnown } ?? false }
    let lengths = JSON.array([JSON(tensor.base?.info.byteCount ?? 0), JSON(tensor.target?.info.byteCount ?? 0)])
    return .dictionary([
      "name": .string(tensor.name),
      "op": .string(tensor.operation.rawValue),
      "base": tensor.base.map(side),
      "target": tensor.operation == .same ? nil : tensor.target.map(side),
      "bytes": unknown ? lengths : nil,
      "chunks": tensor.operation == .same ? nil : list(tensor.chunks),
      "copy": tensor.copy.map { .string($0) },
      "low_rank": tensor.lowRank?.json,
    ])
  }
}
