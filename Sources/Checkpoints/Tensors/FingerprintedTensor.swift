import Base

/// A tensor on one side of a patch (base or target), with its fingerprint.
package struct FingerprintedTensor: Hashable, Sendable {
  package let info: TensorInfo
  package let fingerprint: ContentDigest
  package init(_ info: TensorInfo, _ fingerprint: ContentDigest) {
    self.info = info
    self.fingerprint = fingerprint
  }
}
