import CCrypto

/// Ed25519 signatures (RFC 8032), computed by libcrypto. Keys are PEM files, as `openssl genpkey -algorithm ed25519`
/// and `openssl pkey -pubout` write them.
package enum Ed25519 {
  package static let keyBytes = 32
  package static let signatureBytes = 64
  private static let maximumFile = 1 << 16

  /// The key that checks a signature.
  package struct PublicKey: Hashable, Sendable {
    /// 32 bytes (RFC 8032, section 5.1.5).
    package let bytes: [UInt8]

    /// Nil unless there are exactly 32 bytes.
    package init?(bytes: [UInt8]) {
      guard bytes.count == keyBytes else { return nil }
      self.bytes = bytes
    }

    /// Nil unless the text is 64 lower-case hexadecimal digits.
    package init?(hex: String) {
      guard let bytes = [UInt8](hex: hex) else { return nil }
      self.init(bytes: bytes)
    }

    /// Reads a PEM file, or 64 hexadecimal digits if no file has that name.
    /// - Throws: `invalid` for any other kind of key; `io`.
    package init(_ pathOrHex: String) throws {
      if try PathKind.of(pathOrHex) == .missing, let key = PublicKey(hex: pathOrHex) {
        self = key
        return
      }
      let text = try InputFile.contents(of: pathOrHex, limit: maximumFile)
      guard let key = KeyPointer(publicPEM: text) else {
        throw VPatchError(
          .invalid, pathOrHex,
          text.isPrivatePEM ? "is a private key where a public one is expected" : "holds no public key in PEM form",
          remedy: "write the public key with openssl pkey -in KEY -pubout")
      }
      bytes = try key.ed25519PublicBytes(of: pathOrHex)
    }

    package var hex: String { bytes.hex }

    /// The first 12 digits, for display.
    package var short: String { String(hex.prefix(12)) }

    /// Whether this key made `signature` for exactly this message.
    package func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool {
      guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count),
        let context = EVP_MD_CTX_new()
      else { return false }
      defer {
        EVP_MD_CTX_free(context)
        EVP_PKEY_free(key)
        ERR_clear_error()
      }
      return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
        && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
  }

  /// The key that signs.
  package struct PrivateKey {
    package let publicKey: PublicKey
    private let key: KeyPointer

    /// - Throws: `invalid` for anything but an unencrypted Ed25519 private key; `io`.
    package init(path: String) throws {
      let text = try InputFile.contents(of: path, limit: maximumFile)
      guard let key = KeyPointer(privatePEM: text) else {
        if text.isEncryptedPEM {
          throw VPatchError(
            .invalid, path, "is encrypted; vpatch cannot ask for a pass phrase",
            remedy: "sign with a decrypted copy: openssl pkey -in KEY -out COPY")
        }
        throw VPatchError(
          .invalid, path,
          text.isPublicPEM ? "is a public key where a private one is expected" : "holds no private key in PEM form",
          remedy: "make one with openssl genpkey -algorithm ed25519")
      }
      self.key = key
      publicKey = PublicKey(bytes: try key.ed25519PublicBytes(of: path))!
    }

    /// The signature of 64 bytes (RFC 8032, section 5.1.6). It is deterministic.
    package func sign(_ message: [UInt8]) -> [UInt8] {
      guard let context = EVP_MD_CTX_new() else { preconditionFailure("libcrypto has no memory") }
      defer { EVP_MD_CTX_free(context) }
      var count = signatureBytes
      var signature = [UInt8](repeating: 0, count: count)
      guard EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1,
        EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signatureBytes
      else { preconditionFailure("libcrypto cannot sign with an Ed25519 key") }
      return signature
    }
  }
}

/// A key of any algorithm, held by libcrypto.
private final class KeyPointer {
  let pointer: OpaquePointer

  init?(privatePEM text: [UInt8]) {
    // For an encrypted key, libcrypto would ask for the pass phrase on the terminal. This callback answers with an
    // error.
    let pointer = text.withPEM { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
    guard let pointer else { return nil }
    self.pointer = pointer
  }

  init?(publicPEM text: [UInt8]) {
    guard let pointer = text.withPEM({ PEM_read_bio_PUBKEY($0, nil, { _, _, _, _ in -1 }, nil) }) else { return nil }
    self.pointer = pointer
  }

  deinit { EVP_PKEY_free(pointer) }

  func ed25519PublicBytes(of path: String) throws -> [UInt8] {
    guard EVP_PKEY_get_id(pointer) == EVP_PKEY_ED25519 else {
      throw VPatchError(
        .invalid, path, "is not an Ed25519 key",
        remedy: "make one with openssl genpkey -algorithm ed25519")
    }
    var count = Ed25519.keyBytes
    var bytes = [UInt8](repeating: 0, count: count)
    guard EVP_PKEY_get_raw_public_key(pointer, &bytes, &count) == 1, count == Ed25519.keyBytes else {
      throw VPatchError(.invalid, path, "holds no public key that libcrypto can read")
    }
    return bytes
  }
}

extension [UInt8] {
  fileprivate var isEncryptedPEM: Bool { says("ENCRYPTED") }
  fileprivate var isPrivatePEM: Bool { says("PRIVATE KEY-----") }
  fileprivate var isPublicPEM: Bool { says("PUBLIC KEY-----") }

  private func says(_ word: StaticString) -> Bool {
    let text = Array(String(describing: word).utf8)
    return indices.contains { self[$0...].starts(with: text) }
  }

  fileprivate func withPEM(_ read: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
    withUnsafeBytes { raw in
      guard let memory = BIO_new_mem_buf(raw.baseAddress, CInt(raw.count)) else { return nil }
      defer {
        BIO_free(memory)
        ERR_clear_error()
      }
      return read(memory)
    }
  }
}
