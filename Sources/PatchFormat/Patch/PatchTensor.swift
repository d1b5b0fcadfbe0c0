import Base
import Checkpoints

/// The operation of a patch on a tensor (spec, section 3.1).
package enum TensorOperation: String, Sendable, CaseIterable {
  case same, change, rows, add, remove, replace

  /// Its byte in the patch's identity.
  package var code: UInt8 {
    switch self {
    case .same: 0
    case .change: UInt8(ascii: "c")
    case .rows: UInt8(ascii: "r")
    case .add: UInt8(ascii: "a")
    case .remove: UInt8(ascii: "d")
    case .replace: UInt8(ascii: "x")
    }
  }

  /// The operation that turns one tensor into another with a different fingerprint.
  package static func changing(_ base: TensorInfo?, into target: TensorInfo?) -> TensorOperation {
    guard let base else { return .add }
    guard let target else { return .remove }
    if base.dtype == target.dtype, base.shape == target.shape, base.byteCount == target.byteCount { return .change }
    let isGrown =
      base.dtype == target.dtype && base.dtype.isKnown && !base.shape.isEmpty
      && base.shape.count == target.shape.count && base.shape.dropFirst() == target.shape.dropFirst()
    return isGrown ? .rows : .replace
  }
}

/// A part of the payload that can be decoded independently.
package struct Chunk: Hashable, Sendable {
  package let role: ChunkRole
  /// Byte offset from the beginning of the payload.
  package let offset: Int
  package let stored: Int
  package let decoded: Int
  package let digest: ContentDigest

  package init(role: ChunkRole, offset: Int, stored: Int, decoded: Int, digest: ContentDigest) {
    self.role = role
    self.offset = offset
    self.stored = stored
    self.decoded = decoded
    self.digest = digest
  }
}

/// One entry of a patch's index: a tensor of base or target.
package struct PatchTensor: Hashable, Sendable {
  package let name: String
  package let operation: TensorOperation
  package let base: FingerprintedTensor?
  /// Equal to `base` for the operation `same`.
  package let target: FingerprintedTensor?
  package let chunks: [Chunk]
  /// The tensor that this one equals on each side that this one has; it then has no chunks.
  package let copy: String?
  /// How its change follows from the adapter's factors.
  package let lowRank: LowRank?

  package init(
    operation: TensorOperation, base: FingerprintedTensor?, target: FingerprintedTensor?, chunks: [Chunk],
    copy: String? = nil, lowRank: LowRank? = nil
  ) {
    self.name = (base ?? target)!.info.name
    self.operation = operation
    self.base = base
    self.target = target
    self.chunks = chunks
    self.copy = copy
    self.lowRank = lowRank
  }

  /// Whether its chunks mean the same in another patch.
  package var isSelfContained: Bool { copy == nil && lowRank == nil }

  package var storedBytes: Int { chunks.reduce(0) { $0 + $1.stored } }

  /// The number of bytes of the tensor that each kind of chunk covers.
  package var parts: Parts { Parts(operation, base?.info, target?.info) }

  package struct Parts: Sendable {
    /// Bytes that both sides have, stored as a difference.
    package let difference: Int
    package let baseOnly: Int
    package let targetOnly: Int

    package init(_ operation: TensorOperation, _ base: TensorInfo?, _ target: TensorInfo?) {
      let baseBytes = base?.byteCount ?? 0
      let targetBytes = target?.byteCount ?? 0
      let common =
        switch operation {
        case .same: 0
        case .change, .rows: min(baseBytes, targetBytes)
        case .add, .remove, .replace: 0
        }
      difference = common
      baseOnly = operation == .same ? 0 : baseBytes - common
      targetOnly = operation == .same ? 0 : targetBytes - common
    }

    package func length(_ role: ChunkRole) -> Int {
      switch role {
      case .difference: difference
      case .base: baseOnly
      case .target: targetOnly
      case .adapter: 0
      }
    }
  }
}
