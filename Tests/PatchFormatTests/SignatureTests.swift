import Testing

@testable import Base
@testable import PatchFormat

@Suite("Signatures") struct SignatureTests {
  private func key(_ name: String) -> String { Fixtures.path("signing/\(name).pem") }

  /// RFC 8032, section 7.1: the key of the fixture is that of TEST 1.
  @Test("the published signatures") func published() throws {
    let key = try Ed25519.PrivateKey(path: key("key"))
    #expect(key.publicKey.hex == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    let signature = key.sign([])
    #expect(
      signature.hex
        == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd"
        + "25bf5f0595bbe24655141438e7a100b")
    #expect(key.publicKey.isValid(signature, of: []))
    let other = try Ed25519.PrivateKey(path: self.key("other-key"))
    #expect(other.publicKey.hex == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    #expect(
      other.sign([0x72]).hex
        == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
        + "0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    #expect(!other.publicKey.isValid(signature, of: []))
    #expect(!key.publicKey.isValid(signature, of: [0]))
    #expect(!key.publicKey.isValid(Array(signature.dropLast()), of: []))
    #expect(!Ed25519.PublicKey(bytes: [UInt8](repeating: 0xFF, count: 32))!.isValid(signature, of: []))
  }

  @Test("a public key as a file, and as digits") func publicKeys() throws {
    let own = try Ed25519.PrivateKey(path: key("key")).publicKey
    #expect(try Ed25519.PublicKey(key("pub")) == own)
    #expect(try Ed25519.PublicKey(own.hex) == own)
    #expect(own.short == "d75a980182b1")
    #expect(Ed25519.PublicKey(hex: own.hex.uppercased()) == nil)
    #expect(Ed25519.PublicKey(bytes: [1, 2]) == nil)
  }

  @Test(
    "files that hold another key",
    arguments: [
      ("rsa", "is not an Ed25519 key", "is a private key where a public one is expected"),
      ("x25519", "is not an Ed25519 key", "is a private key where a public one is expected"),
      (
        "encrypted", "is encrypted; vpatch cannot ask for a pass phrase",
        "is a private key where a public one is expected"
      ),
      ("pub", "is a public key where a private one is expected", ""),
    ])
  func otherKeys(name: String, asPrivate: String, asPublic: String) throws {
    let error = refusal { _ = try Ed25519.PrivateKey(path: key(name)) }
    #expect(error?.code == .invalid && error?.reason == asPrivate)
    #expect(error?.remedy?.contains("openssl") == true)
    guard !asPublic.isEmpty else { return }
    #expect(refusal { _ = try Ed25519.PublicKey(key(name)) }?.reason == asPublic)
  }

  @Test("files that hold none") func noKeys() throws {
    let scratch = Scratch()
    for text in ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
      let path = scratch.write(Array(text.utf8), as: "key")
      #expect(refusal { _ = try Ed25519.PrivateKey(path: path) }?.reason == "holds no private key in PEM form")
      #expect(refusal { _ = try Ed25519.PublicKey(path) }?.code == .invalid)
    }
    #expect(refusal { _ = try Ed25519.PublicKey("none.pem") }?.code == .io)
    let large = scratch.write([UInt8](repeating: 0, count: 1 << 17), as: "large")
    #expect(refusal { _ = try Ed25519.PrivateKey(path: large) }?.reason.contains("the limit is 65536") == true)
  }

  // MARK: Of a patch

  @Test("what is signed, to the byte") func message() throws {
    let content = SignedContent(identity: SHA256Hasher.hash("identity"), annex: SHA256Hasher.hash("annex"))
    let annotations = try JSON.parse(#"{ "b": [1.50, {"z": -0, "a": "ü\u00fc"}], "signatures": [3], "a": null }"#)
    let text = #"{"a":null,"b":[1.50,{"a":"üü","z":-0}]}"#
    #expect(
      PatchSignature.message(content, annotations)
        == Array("vpatch.signature.1\n".utf8) + content.identity.bytes + content.annex.bytes
        + SHA256Hasher.hash(text).bytes)
  }

  @Test("it holds for this patch and these annotations, and for no others") func patch() throws {
    let scratch = Scratch()
    let path = scratch.write(try contents(Fixtures.path("golden/accepted/raw.vpatch")), as: "a.vpatch")
    let key = try Ed25519.PrivateKey(path: key("key"))
    let other = try Ed25519.PrivateKey(path: self.key("other-key"))
    var patch = try Patch(path: path)
    let unsigned = refusal { try patch.checkSignature(by: key.publicKey) }
    #expect(unsigned?.code == .refused && unsigned?.reason == "is not signed")

    for signer in [key, other, key] {
      try patch.write(
        annotations: try patch.annotations.signed(patch.signedContent, by: signer), to: path, replacing: true)
      patch = try Patch(path: path)
    }
    #expect(PatchSignature.all(in: patch.annotations).signatures.count == 2)
    try patch.checkSignature(by: key.publicKey)
    try patch.checkSignature(by: other.publicKey)
    let stranger = Ed25519.PublicKey(bytes: [UInt8](repeating: 7, count: 32))!
    #expect(refusal { try patch.checkSignature(by: stranger) }?.reason == "is not signed by 070707070707")

    // The order of members says nothing; any other change does.
    let reordered = JSON.object(patch.annotations.object!.reversed())
    #expect(PatchSignature.droppingStale(from: reordered, patch.signedContent).dropped.isEmpty)
    let renamed = patch.annotations.setting("name", to: .string("other"))
    let (kept, dropped) = PatchSignature.droppingStale(from: renamed, patch.signedContent)
    #expect(dropped.count == 2 && kept["signatures"] == nil && kept["name"] == .string("other"))
    let content = patch.signedContent
    for other in [
      SignedContent(identity: SHA256Hasher.hash("another"), annex: content.annex),
      SignedContent(identity: content.identity, annex: SHA256Hasher.hash("another")),
    ] {
      #expect(PatchSignature.droppingStale(from: patch.annotations, other).dropped.count == 2)
    }

    try patch.write(annotations: renamed, to: path, replacing: true)
    let changed = refusal { try Patch(path: path).checkSignature(by: key.publicKey) }
    #expect(changed?.reason == "was changed after d75a980182b1 signed it, or d75a980182b1 never signed it")
  }

  static let nothing = SignedContent(identity: .zero, annex: .zero)

  @Test("entries that are no signatures") func malformed() throws {
    // Zeros would be a key that accepts every fourth message: it is of small order.
    let hex = String(repeating: "7", count: 64)
    for (text, count) in [
      ("3", 1), ("[3]", 1), ("[{}]", 1), (#"[{"key":"\#(hex)"}]"#, 1), (#"[{"key":"\#(hex)","signature":"00"}]"#, 1),
      ("[]", 0), (#"[{"key":"\#(hex)","signature":"\#(hex)\#(hex)"}]"#, 0),
    ] {
      let json = JSON.dictionary(["signatures": try JSON.parse(text)])
      #expect(PatchSignature.all(in: json).malformed == count, "\(text)")
      #expect(PatchSignature.droppingStale(from: json, Self.nothing).annotations["signatures"] == nil)
    }
  }

  @Test("more signatures than anyone needs are not read, nor written") func many() throws {
    let entries = (0..<100).map { i in
      JSON.dictionary([
        "key": .string([UInt8](repeating: UInt8(i), count: 32).hex),
        "signature": .string([UInt8](repeating: 0, count: 64).hex),
      ])
    }
    let json = JSON.dictionary(["signatures": .array(entries)])
    let all = PatchSignature.all(in: json)
    #expect(all.signatures.count == 64 && all.malformed == 36)
    let key = try Ed25519.PrivateKey(path: key("key"))
    #expect(
      refusal { _ = try json.signed(Self.nothing, by: key) }?.reason
        == "the patch already has 64 signatures, the maximum")
  }

  @Test("annotations beyond the format's limits are not written") func limits() throws {
    let scratch = Scratch()
    let patch = try Patch(path: Fixtures.path("golden/accepted/raw.vpatch"))
    let deep = (0..<40).reduce(JSON.null) { json, _ in .array([json]) }
    let large = JSON.string(String(repeating: "x", count: 17 << 20))
    for value in [deep, large] {
      let error = refusal { try patch.write(annotations: .dictionary(["a": value]), to: scratch.file("b.vpatch")) }
      #expect(error?.code == .refused && error?.reason.contains("too large, or nested too deep") == true)
    }
    #expect(scratch.entries.isEmpty)
  }
}
