import PatchFormat

/// What a model that vpatch wrote is: a small JSON file beside it, bound to its bits by fingerprints.
public struct Provenance: Sendable {
  public let base: Digest
  public let target: Digest
  public let patches: [Patch]
  public let reverted: [Patch]
  /// Every tensor of the result, in ascending order of name.
  public let tensors: [FingerprintedTensor]
  /// Names of the tensors whose bits were hashed on this occasion; nil: all of them.
  public let verified: [String]?

  static let fileSuffix = ".vpatch.json"
  static let directoryName = "vpatch.json"

  /// Where the file of a model belongs.
  public static func path(forModel path: String, isDirectory: Bool) -> String {
    isDirectory ? Path.join(path, directoryName) : path + fileSuffix
  }

  /// Whether a file is one that vpatch wrote, and may replace: it belongs to the model that is replaced, or that is gone.
  static func isProvenance(_ path: String) -> Bool {
    guard PathKind.of(path, followingLinks: false) == .file,
      let text = try? InputFile.contents(of: path, limit: SafetensorsHeader.maximumLength),
      let format = try? JSON.parse(text)["format"]?.string
    else { return false }
    return format == "vpatch.provenance.1"
  }

  init(_ rebuild: Rebuild, verified: [String]?) {
    let last = rebuild.steps[rebuild.steps.count - 1]
    let forward = rebuild.steps.filter { $0.direction == .forward }.map(\.patch)
    patches = forward
    reverted = rebuild.steps.filter { $0.direction == .backward }.map(\.patch)
    target = last.to
    base = forward.isEmpty ? last.to : rebuild.steps[0].from
    tensors = last.patch.header.tensors.compactMap(last.output)
    self.verified = verified
  }

  /// Without the fingerprints of the tensors: what fits into a file's metadata.
  public var summary: JSON {
    func list(_ patches: [Patch]) -> JSON {
      .array(
        patches.map { patch in
          .dictionary([
            "identity": .string(patch.identity.hex), "name": patch.name.map { .string($0) },
            "recipe": patch.annotations["recipe"], "scale": JSON(1),
            "base": .string(patch.header.baseRoot.hex), "target": .string(patch.header.targetRoot.hex),
          ])
        })
    }
    return .dictionary([
      "format": .string("vpatch.provenance.1"),
      "writer": .string("vpatch \(vpatchVersion)"),
      "base": .string(base.hex),
      "target": .string(target.hex),
      "patches": list(patches),
      "reverted": reverted.isEmpty ? nil : list(reverted),
      // Every record names the bits it was measured on; what nobody measured is not here.
      "forgetting": .array(patches.flatMap { $0.annotations["forgetting"]?.array ?? [] }),
    ])
  }

  public var json: JSON {
    .object(
      (summary.object ?? []) + [
        JSON.Member("verified", verified.map { .array($0.map { .string($0) }) } ?? .string("all")),
        JSON.Member(
          "tensors", .object(tensors.map { JSON.Member($0.info.name, .string($0.fingerprint.hex)) })),
      ])
  }
}
