import Base

/// Name, dtype and shape of a tensor, as a header declares them.
package struct TensorInfo: Hashable, Sendable {
  package let name: String
  package let dtype: DType
  /// Dimensions, outermost first; empty for a scalar.
  package let shape: [Int]
  package let byteCount: Int

  package init(name: String, dtype: DType, shape: [Int], byteCount: Int) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.byteCount = byteCount
  }

  /// A tensor whose elements have whole bytes. Nil where the size overflows.
  package init?(name: String, dtype: DType, shape: [Int]) {
    let elements = shape.contains(0) ? 0 : shape.productWithinLimits()
    guard dtype.bitsPerElement % 8 == 0,
      let count = elements.flatMap({ [$0, dtype.bitsPerElement / 8].productWithinLimits() })
    else { return nil }
    self.init(name: name, dtype: dtype, shape: shape, byteCount: count)
  }

  /// "BF16 576×1536"
  package var typeDescription: String {
    shape.isEmpty ? "\(dtype) scalar" : "\(dtype) " + shape.map(String.init).joined(separator: "×")
  }

  /// Bytes per index of the first dimension; nil for a scalar or a tensor without rows.
  package var rowBytes: Int? {
    guard let rows = shape.first, rows > 0, byteCount % rows == 0 else { return nil }
    return byteCount / rows
  }

  /// Number of elements: two `F4` per byte.
  package var elementCount: Int { byteCount * 8 / dtype.bitsPerElement }

  /// A hasher that has already processed the prefix of a tensor's fingerprint (spec, section 2).
  package func fingerprintHasher() -> SHA256Hasher {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.tensor.1\n\(dtype)\n\(shape.map(String.init).joined(separator: ","))\n")
    return hasher
  }

  /// The size in bytes of a tensor with this shape; nil where the dtype is unknown or the size overflows.
  package static func byteCount(dtype: DType, shape: [Int]) -> Int? {
    guard dtype.isKnown else { return nil }
    // A zero in any dimension makes the product zero, even if other factors overflow.
    if shape.contains(0) { return 0 }
    var count = dtype.element.width
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow, dimension > 0 else { return nil }
      count = product
    }
    return count
  }

  /// Whether the format allows a name: 1 to 4,096 bytes without NUL, and not `__metadata__`.
  package static func isValidName(_ name: String) -> Bool {
    (1...4096).contains(name.utf8.count) && !name.utf8.contains(0) && name != "__metadata__"
  }
}

extension ContentDigest {
  /// The root digest of a checkpoint (spec, section 2).
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
