// A signature in a patch's annotations (spec, section 7.2):
//
//   "signatures": [{"key": 64 hexadecimal digits, "signature": 128}, …]      at most 64
//
// Signed data: "vpatch.signature.1\n", the 32 bytes of the patch's identity, the SHA-256 of the decoded annex, and the
// SHA-256 of the annotations without the member "signatures", in compact JSON with keys in ascending order of their
// bytes at every level, and numbers as written. So a signature covers what the patch does to tensors and files and all
// annotations except signatures: several people can sign one patch.

import Base

/// What a signature covers, besides the annotations: the effect of the patch on tensors and files.
package struct SignedContent: Hashable, Sendable {
  package let identity: ContentDigest
  /// SHA-256 of the decoded annex.
  package let annex: ContentDigest

  package init(identity: ContentDigest, annex: ContentDigest) {
    self.identity = identity
    self.annex = annex
  }
}

/// A key holder's signature of a patch and its annotations.
package struct PatchSignature: Hashable, Sendable {
  package let key: Ed25519.PublicKey
  package let signature: [UInt8]

  package static let annotation = "signatures"
  /// A check takes a tenth of a millisecond, and a file could hold 80,000 signatures.
  static let maximumCount = 64

  /// Signs a patch of this content with these annotations.
  package init(_ content: SignedContent, _ annotations: JSON, by key: Ed25519.PrivateKey) {
    self.key = key.publicKey
    signature = key.sign(Self.message(content, annotations))
  }

  /// Nil for anything but an object with a key of 32 bytes and a signature of 64 bytes.
  package init?(json: JSON) {
    guard let key = json["key"]?.string.flatMap(Ed25519.PublicKey.init(hex:)),
      let signature = json["signature"]?.string.flatMap([UInt8].init(hex:)),
      signature.count == Ed25519.signatureBytes
    else { return nil }
    self.key = key
    self.signature = signature
  }

  package var json: JSON { .dictionary(["key": .string(key.hex), "signature": .string(signature.hex)]) }

  /// Whether the key signed exactly this content. Who owns the key is not known here.
  package func isValid(for content: SignedContent, _ annotations: JSON) -> Bool {
    key.isValid(signature, of: Self.message(content, annotations))
  }

  package static func message(_ content: SignedContent, _ annotations: JSON) -> [UInt8] {
    Array("vpatch.signature.1\n".utf8) + content.identity.bytes + content.annex.bytes
      + SHA256Hasher.hash(annotations.setting(annotation, to: nil).canonical()).bytes
  }

  // MARK: Annotations

  /// The signatures in annotations, and the number of malformed entries.
  package static func all(in annotations: JSON) -> (signatures: [PatchSignature], malformed: Int) {
    guard let member = annotations[annotation] else { return ([], 0) }
    guard let entries = member.array else { return ([], 1) }
    let signatures = entries.prefix(maximumCount).compactMap(PatchSignature.init(json:))
    return (signatures, entries.count - signatures.count)
  }

  /// Annotations without signatures that do not match them (any more).
  package static func droppingStale(
    from annotations: JSON, _ content: SignedContent
  ) -> (annotations: JSON, dropped: [PatchSignature]) {
    let all = all(in: annotations).signatures
    let valid = all.filter { $0.isValid(for: content, annotations) }
    return (annotations.setting(valid), all.filter { !valid.contains($0) })
  }
}

extension JSON {
  /// Annotations with one more signature. It replaces an earlier one by the same key.
  /// - Throws: `refused` where there are too many.
  package func signed(_ content: SignedContent, by key: Ed25519.PrivateKey) throws -> JSON {
    let others = PatchSignature.all(in: self).signatures.filter { $0.key != key.publicKey }
    guard others.count < PatchSignature.maximumCount else {
      throw VPatchError(
        .refused, nil, "the patch already has \(others.count) signatures, the maximum", remedy: "sign a copy")
    }
    return setting(others + [PatchSignature(content, self, by: key)])
  }

  /// Annotations with exactly these signatures.
  fileprivate func setting(_ signatures: [PatchSignature]) -> JSON {
    setting(PatchSignature.annotation, to: signatures.isEmpty ? nil : .array(signatures.map(\.json)))
  }
}

extension Patch {
  /// Checks that the patch has a valid signature by this key.
  /// - Throws: `refused` where it has none.
  package func checkSignature(by key: Ed25519.PublicKey) throws {
    let (signatures, _) = PatchSignature.all(in: annotations)
    let own = signatures.filter { $0.key == key }
    guard !own.isEmpty else {
      let others = signatures.isEmpty ? "not signed" : "not signed by \(key.short)"
      throw VPatchError(
        .refused, path, "is \(others)",
        remedy: signatures.isEmpty
          ? "sign it with vpatch sign" : "it is signed by \(signatures.map(\.key.short).joined(separator: ", "))")
    }
    guard own.contains(where: { $0.isValid(for: signedContent, annotations) }) else {
      throw VPatchError(
        .refused, path, "was changed after \(key.short) signed it, or \(key.short) never signed it",
        remedy: "get the signed file again, or have it signed again")
    }
  }
}
