import PatchFormat

/// What a model that vpatch wrote is: a small JSON file beside it, bound to its bits by fingerprints.
public struct Provenance: Sendable {
  public let base: Digest
  public let target: Digest
  public let patches: [Patch]
  public let reverted: [Patch]
  /// The tensors of the result whose bits were hashed on this occasion, in ascending order of name.
  public let verified: [FingerprintedTensor]
  /// The others: what they are if the input was what the patch was made from. Nobody looked.
  public let unverified: [FingerprintedTensor]

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

  /// What the provenance beside a model says that its root is; nil where there is none, or none of ours.
  static func claimedRoot(of checkpoint: Checkpoint) -> Digest? {
    let path = path(forModel: checkpoint.path, isDirectory: checkpoint.isDirectory)
    guard isProvenance(path), let text = try? InputFile.contents(of: path, limit: SafetensorsHeader.maximumLength),
      let json = try? JSON.parse(text)
    else { return nil }
    return json["target"]?.string.flatMap(Digest.init(hex:))
  }

  /// - Parameter isVerified: whether a tensor's bits were hashed.
  init(_ rebuild: Rebuild, isVerified: (String) -> Bool) {
    let last = rebuild.steps[rebuild.steps.count - 1]
    let forward = rebuild.steps.filter { $0.direction == .forward }.map(\.patch)
    patches = forward
    reverted = rebuild.steps.filter { $0.direction == .backward }.map(\.patch)
    target = last.to
    base = forward.isEmpty ? last.to : rebuild.steps[0].from
    let tensors = last.patch.header.tensors.compactMap(last.output)
    verified = tensors.filter { isVerified($0.info.name) }
    unverified = tensors.filter { !isVerified($0.info.name) }
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
    func fingerprints(_ tensors: [FingerprintedTensor]) -> JSON {
      .object(tensors.map { JSON.Member($0.info.name, .string($0.fingerprint.hex)) })
    }
    return .object(
      (summary.object ?? []) + [
        JSON.Member("verified", fingerprints(verified)), JSON.Member("unverified", fingerprints(unverified)),
      ])
  }
}
