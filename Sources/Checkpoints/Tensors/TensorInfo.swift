import Base

/// What a header says of a tensor.
package struct TensorInfo: Hashable, Sendable {
  package let name: String
  package let dtype: DType
  /// Dimensions, the outermost first; empty for a scalar.
  package let shape: [Int]
  package let byteCount: Int

  package init(name: String, dtype: DType, shape: [Int], byteCount: Int) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.byteCount = byteCount
  }

  /// "BF16 576×1536"
  package var typeDescription: String {
    shape.isEmpty ? "\(dtype) scalar" : "\(dtype) " + shape.map(String.init).joined(separator: "×")
  }

  /// Bytes of one step of the first dimension; nil for a scalar or where there are no rows.
  package var rowBytes: Int? {
    guard let rows = shape.first, rows > 0, byteCount % rows == 0 else { return nil }
    return byteCount / rows
  }

  /// Elements as the dtype's own: two of `F4` in a byte.
  package var elementCount: Int { byteCount * 8 / dtype.bitsPerElement }

  /// A hasher that has seen what precedes a tensor's bytes in its fingerprint (spec, section 2).
  package func fingerprintHasher() -> SHA256Hasher {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.tensor.1\n\(dtype)\n\(shape.map(String.init).joined(separator: ","))\n")
    return hasher
  }

  /// The bytes that a shape takes, where the dtype is known and nothing overflows.
  package static func byteCount(dtype: DType, shape: [Int]) -> Int? {
    guard dtype.isKnown else { return nil }
    // A zero anywhere makes the product zero, whatever overflows elsewhere.
    if shape.contains(0) { return 0 }
    var count = dtype.element.width
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow, dimension > 0 else { return nil }
      count = product
    }
    return count
  }

  /// Names that the format can carry: 1 to 4,096 bytes without NUL, and not `__metadata__`.
  package static func isValidName(_ name: String) -> Bool {
    (1...4096).contains(name.utf8.count) && !name.utf8.contains(0) && name != "__metadata__"
  }
}

extension ContentDigest {
  /// The root of a checkpoint (spec, section 2).
  /// - Parameter tensors: in ascending order of the names' bytes.
  package static func root(of tensors: some Sequence<(name: String, fingerprint: ContentDigest)>) -> ContentDigest {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.root.1\n")
    for (name, fingerprint) in tensors {
      hasher.update(name.lengthPrefixed)
      hasher.update(fingerprint.bytes)
    }
    return hasher.finalize()
  }
}
