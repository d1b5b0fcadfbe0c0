import CCrypto

/// A SHA-256 digest.
package struct ContentDigest: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The 32 bytes, as four big-endian words so that comparison and hashing are cheap.
  private let words: (UInt64, UInt64, UInt64, UInt64)

  package static let byteCount = 32
  /// 32 zero bytes: "no tensor on this side".
  package static let zero = ContentDigest(bytes: [UInt8](repeating: 0, count: 32))!

  /// Nil unless there are exactly 32 bytes.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var words: [UInt64] = [0, 0, 0, 0]
    for (i, byte) in bytes.enumerated() { words[i / 8] = words[i / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// Nil unless the text is 64 lower-case hexadecimal digits.
  package init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes: bytes)
  }

  package var bytes: [UInt8] {
    [words.0, words.1, words.2, words.3].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
  }

  /// 64 lower-case hexadecimal digits.
  package var hex: String { bytes.hex }

  /// The first 12 digits, for display.
  package var short: String { String(hex.prefix(12)) }

  package var description: String { hex }

  package static func == (a: ContentDigest, b: ContentDigest) -> Bool { a.words == b.words }
  package static func < (a: ContentDigest, b: ContentDigest) -> Bool { a.words < b.words }
  package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// SHA-256 (FIPS 180-4), computed by libcrypto.
package final class SHA256Hasher {
  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  /// A copy of another hasher's state.
  package init(copying other: SHA256Hasher) {
    guard let context = EVP_MD_CTX_new(), EVP_MD_CTX_copy_ex(context, other.context) == 1 else {
      preconditionFailure("libcrypto cannot copy a SHA-256 state")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    EVP_DigestUpdate(context, start, bytes.count)
  }

  package func update(_ bytes: some ContiguousBytesLike) {
    bytes.withContiguousBytes { update($0) }
  }

  /// The digest of all bytes given so far. The hasher must not be used afterwards.
  package func finalize() -> ContentDigest {
    let bytes = [UInt8](unsafeUninitializedCapacity: ContentDigest.byteCount) { buffer, count in
      EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
      count = ContentDigest.byteCount
    }
    return ContentDigest(bytes: bytes)!
  }

  package static func hash(_ bytes: some ContiguousBytesLike) -> ContentDigest {
    let hasher = SHA256Hasher()
    hasher.update(bytes)
    return hasher.finalize()
  }
}
