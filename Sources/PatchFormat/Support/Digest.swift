import CCrypto

/// A SHA-256 digest.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The 32 bytes, as four big-endian words so that comparison and hashing are cheap.
  private let words: (UInt64, UInt64, UInt64, UInt64)

  public static let byteCount = 32
  /// 32 zero bytes: "this side has none".
  public static let zero = Digest(bytes: [UInt8](repeating: 0, count: 32))!

  /// Fails unless there are exactly 32 bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var words: [UInt64] = [0, 0, 0, 0]
    for (i, byte) in bytes.enumerated() { words[i / 8] = words[i / 8] << 8 | UInt64(byte) }
    self.words = (words[0], words[1], words[2], words[3])
  }

  /// Fails unless the text is 64 lower-case hexadecimal digits.
  public init?(hex: String) {
    guard let bytes = [UInt8](hex: hex) else { return nil }
    self.init(bytes: bytes)
  }

  public var bytes: [UInt8] {
    [words.0, words.1, words.2, words.3].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { bytes.hex }

  /// The first 12 digits: enough for a person to tell digests apart.
  public var short: String { String(hex.prefix(12)) }

  public var description: String { hex }

  public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }
  public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// SHA-256 (FIPS 180-4), by libcrypto.
public final class SHA256 {
  private let context: OpaquePointer

  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  /// A hasher that has seen what `other` has seen.
  public init(copying other: SHA256) {
    guard let context = EVP_MD_CTX_new(), EVP_MD_CTX_copy_ex(context, other.context) == 1 else {
      preconditionFailure("libcrypto cannot copy a SHA-256 state")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  public func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    EVP_DigestUpdate(context, start, bytes.count)
  }

  public func update(_ bytes: some ContiguousBytesLike) {
    bytes.withContiguousBytes { update($0) }
  }

  /// The digest of all that was given. The hasher must not be used again.
  public func finalize() -> Digest {
    let bytes = [UInt8](unsafeUninitializedCapacity: Digest.byteCount) { buffer, count in
      EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
      count = Digest.byteCount
    }
    return Digest(bytes: bytes)!
  }

  public static func hash(_ bytes: some ContiguousBytesLike) -> Digest {
    let hasher = SHA256()
    hasher.update(bytes)
    return hasher.finalize()
  }
}

/// Something whose bytes lie together in memory.
public protocol ContiguousBytesLike {
  func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R
}

extension [UInt8]: ContiguousBytesLike {
  public func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withUnsafeBytes(body)
  }
}

extension ArraySlice<UInt8>: ContiguousBytesLike {
  public func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withUnsafeBytes(body)
  }
}

extension UnsafeRawBufferPointer: ContiguousBytesLike {
  public func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try body(self)
  }
}

extension String: ContiguousBytesLike {
  public func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    var copy = self
    return try copy.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
  }
}
