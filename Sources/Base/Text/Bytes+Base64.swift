import CCrypto

extension [UInt8] {
  /// Base64 (RFC 4648) with padding, in one line.
  package var base64: String {
    // EVP_EncodeBlock also writes a zero byte behind the text.
    let text = [UInt8](unsafeUninitializedCapacity: (count + 2) / 3 * 4 + 1) { buffer, size in
      size = Int(EVP_EncodeBlock(buffer.baseAddress, self, Int32(count)))
    }
    return String(decoding: text, as: UTF8.self)
  }
}
