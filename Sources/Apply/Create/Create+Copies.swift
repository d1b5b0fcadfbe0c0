import Base
import PatchFormat

extension Create {
  /// A smaller tensor is not worth a flag that older readers refuse.
  private static let smallestCopy = 4096

  /// Changed tensors that are stored as a reference to an equal one, such as an output head that is the embedding: the
  /// names of the equal ones, by the bytes of the tensors' names.
  /// - Parameter kept: the changes that the patch has.
  func copies(_ compared: [Compared], keeping kept: Set<String>) -> [String: String] {
    var byTarget: [ContentDigest: [Compared]] = [:]
    var byBase: [ContentDigest: [Compared]] = [:]
    for item in compared {
      if let digest = item.targetFingerprint { byTarget[digest, default: []].append(item) }
      if let digest = item.baseFingerprint { byBase[digest, default: []].append(item) }
    }
    var copies: [String: String] = [:]
    // Tensors that only one side has come first: those of both sides can be originals.
    let changed = compared.filter { kept.contains($0.pair.name.bytesKey) }
    for item in changed.filter(\.isOneSided) + changed.filter({ !$0.isOneSided }) {
      guard (item.pair.base?.info ?? item.pair.target)?.byteCount ?? 0 >= Self.smallestCopy else { continue }
      let twins = item.targetFingerprint.flatMap { byTarget[$0] } ?? item.baseFingerprint.flatMap { byBase[$0] } ?? []
      let original = twins.first { twin in
        !twin.pair.name.isSame(as: item.pair.name) && copies[twin.pair.name.bytesKey] == nil
          && !copies.values.contains { $0.isSame(as: item.pair.name) }
          && (twin.differs == false || kept.contains(twin.pair.name.bytesKey)) && item.isCopy(of: twin)
      }
      if let original { copies[item.pair.name.bytesKey] = original.pair.name }
    }
    return copies
  }
}

extension Create.Compared {
  fileprivate var isOneSided: Bool { (baseFingerprint == nil) != (targetFingerprint == nil) }

  /// Whether the other one is the same on each side that this one has. Fingerprints include dtype and shape.
  fileprivate func isCopy(of other: Self) -> Bool {
    (baseFingerprint == nil || baseFingerprint == other.baseFingerprint)
      && (targetFingerprint == nil || targetFingerprint == other.targetFingerprint)
  }
}
