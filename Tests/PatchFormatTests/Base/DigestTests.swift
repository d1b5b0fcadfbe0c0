import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

/// Digests against values that Python's hashlib computed from the spec's section 2.
@Suite struct DigestTests {
  static let a = ContentDigest(hex: "05702edf843dbc089206e80e2afc8a07ce68756e94345cb0f5f65cf90426d8e0")!
  static let aTuned = ContentDigest(hex: "cf43157352c2b0fea89267873d4330b4cef0665d6ffb2a2662d6664de64fe101")!
  static let scalar = ContentDigest(hex: "57ef712b5e5252ec147bf6ef36df33c60c76113e8f165b2ded6daccd9883d05f")!
  static let empty = ContentDigest(hex: "60f0c068b18961d8702e3c17f88f1fb5baeae26d9a355368f99f4348730d0cc4")!

  @Test func sha256() {
    #expect(
      SHA256Hasher.hash("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let hasher = SHA256Hasher()
    hasher.update("a")
    let copy = SHA256Hasher(copying: hasher)
    hasher.update("bc")
    copy.update([UInt8]("bc".utf8)[...])
    #expect(hasher.finalize() == SHA256Hasher.hash("abc"))
    #expect(copy.finalize() == SHA256Hasher.hash("abc"))
  }

  @Test func text() {
    let digest = SHA256Hasher.hash("abc")
    #expect(ContentDigest(hex: digest.hex) == digest)
    #expect(ContentDigest(bytes: digest.bytes) == digest)
    #expect(digest.short == "ba7816bf8f01")
    for bad in [
      digest.hex.uppercased(), String(digest.hex.dropLast()), digest.hex + "0", "", "g" + digest.hex.dropFirst(),
    ] {
      #expect(ContentDigest(hex: bad) == nil)
    }
    #expect(ContentDigest(bytes: [UInt8](repeating: 0, count: 31)) == nil)
    #expect(ContentDigest.zero < digest)
  }

  func fingerprint(_ dtype: String, _ shape: [Int], _ bytes: [UInt8]) -> ContentDigest {
    let hasher = TensorInfo(name: "any", dtype: DType(dtype)!, shape: shape, byteCount: bytes.count).fingerprintHasher()
    hasher.update(bytes)
    return hasher.finalize()
  }

  @Test func fingerprints() {
    #expect(fingerprint("BF16", [2, 2], Array(0..<8)) == Self.a)
    #expect(fingerprint("BF16", [2, 2], Array(1..<9)) == Self.aTuned)
    #expect(fingerprint("F64", [], [UInt8](repeating: 0, count: 8)) == Self.scalar)
    #expect(fingerprint("U8", [0, 3], []) == Self.empty)
    // Other types and shapes of the same bytes are other tensors.
    #expect(fingerprint("F16", [2, 2], Array(0..<8)) != Self.a)
    #expect(fingerprint("BF16", [4], Array(0..<8)) != Self.a)
  }

  static let baseRoot = ContentDigest(hex: "6d081f2b206293ed66a9fc94953c8b8b05a9008e898a44a73a8f87960962e0f7")!
  static let targetRoot = ContentDigest(hex: "bcd70936f46571cef3e68b5440458ac52772fd09cbfb0b1a60c5c276bfe12ebd")!

  @Test func roots() {
    #expect(ContentDigest.root(of: [(name: "a", fingerprint: Self.a), ("s", Self.scalar)]) == Self.baseRoot)
    #expect(
      ContentDigest.root(of: [(name: "a", fingerprint: Self.aTuned), ("s", Self.scalar), ("z", Self.empty)])
        == Self.targetRoot
    )
    #expect(
      ContentDigest.root(of: [(name: String, fingerprint: ContentDigest)]()).hex
        == "a90dab5923fd66f7750f651c39f37ba6157c983f9a2b67c972de564ea4a459ad")
  }

  @Test func identity() {
    func side(_ name: String, _ dtype: String, _ shape: [Int], _ bytes: Int, _ digest: ContentDigest)
      -> FingerprintedTensor
    {
      FingerprintedTensor(TensorInfo(name: name, dtype: DType(dtype)!, shape: shape, byteCount: bytes), digest)
    }
    let s = side("s", "F64", [], 8, Self.scalar)
    let header = PatchHeader(
      tensors: [
        PatchTensor(
          operation: .change, base: side("a", "BF16", [2, 2], 8, Self.a),
          target: side("a", "BF16", [2, 2], 8, Self.aTuned), chunks: []),
        PatchTensor(operation: .same, base: s, target: s, chunks: []),
        PatchTensor(operation: .add, base: nil, target: side("z", "U8", [0, 3], 0, Self.empty), chunks: []),
      ], payloadBytes: 0, annex: .init(stored: 0, decoded: 0, digest: .zero))
    #expect(header.baseRoot == Self.baseRoot)
    #expect(header.targetRoot == Self.targetRoot)
    #expect(header.identity.hex == "43def6ecbabdc5f208cbcd8f881f0009526c74e3d47b02d24bc622c324e4104f")
  }
}
