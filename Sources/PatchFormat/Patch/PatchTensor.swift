/// What a patch does to a tensor (spec, section 3.1).
public enum Operation: String, Sendable, CaseIterable {
  case same, change, rows, add, remove, replace

  /// Its byte in the patch's identity.
  var code: UInt8 {
    switch self {
    case .same: 0
    case .change: UInt8(ascii: "c")
    case .rows: UInt8(ascii: "r")
    case .add: UInt8(ascii: "a")
    case .remove: UInt8(ascii: "d")
    case .replace: UInt8(ascii: "x")
    }
  }

  /// The operation that turns one tensor into another, the fingerprints being different.
  public static func turning(_ base: TensorInfo?, into target: TensorInfo?) -> Operation {
    guard let base else { return .add }
    guard let target else { return .remove }
    if base.dtype == target.dtype, base.shape == target.shape, base.byteCount == target.byteCount { return .change }
    let isGrown =
      base.dtype == target.dtype && base.dtype.isKnown && !base.shape.isEmpty
      && base.shape.count == target.shape.count && base.shape.dropFirst() == target.shape.dropFirst()
    return isGrown ? .rows : .replace
  }
}

/// A tensor on one side of a patch.
public struct FingerprintedTensor: Hashable, Sendable {
  public let info: TensorInfo
  public let fingerprint: Digest
  public init(_ info: TensorInfo, _ fingerprint: Digest) {
    self.info = info
    self.fingerprint = fingerprint
  }
}

/// A piece of the payload that decodes on its own.
public struct Chunk: Hashable, Sendable {
  public let role: ChunkRole
  /// From the beginning of the payload.
  public let offset: Int
  public let stored: Int
  public let decoded: Int
  public let digest: Digest

  public init(role: ChunkRole, offset: Int, stored: Int, decoded: Int, digest: Digest) {
    self.role = role
    self.offset = offset
    self.stored = stored
    self.decoded = decoded
    self.digest = digest
  }
}

/// One entry of a patch's index: a tensor of either side.
public struct PatchTensor: Hashable, Sendable {
  public let name: String
  public let operation: Operation
  public let base: FingerprintedTensor?
  /// For `same` the same as `base`.
  public let target: FingerprintedTensor?
  public let chunks: [Chunk]

  public init(operation: Operation, base: FingerprintedTensor?, target: FingerprintedTensor?, chunks: [Chunk]) {
    self.name = (base ?? target)!.info.name
    self.operation = operation
    self.base = base
    self.target = target
    self.chunks = chunks
  }

  public var storedBytes: Int { chunks.reduce(0) { $0 + $1.stored } }

  /// How many bytes of the tensor each kind of chunk covers.
  public var parts: Parts { Parts(operation, base?.info, target?.info) }

  public struct Parts: Sendable {
    /// What both sides have, as a difference.
    public let difference: Int
    public let baseOnly: Int
    public let targetOnly: Int

    public init(_ operation: Operation, _ base: TensorInfo?, _ target: TensorInfo?) {
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

    func length(_ role: ChunkRole) -> Int {
      switch role {
      case .difference: difference
      case .base: baseOnly
      case .target: targetOnly
      }
    }
  }
}
