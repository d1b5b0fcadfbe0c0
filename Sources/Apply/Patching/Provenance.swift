import PatchFormat

/// What a model that vpatch wrote is: a small JSON file beside it, bound to its bits by fingerprints.
public struct Provenance: Sendable {
  public let base: Digest
  public let target: Digest
  /// The patches between the two, in their order: a JSON record each, with what is measured of its forgetting.
  public let patches: [JSON]
  /// The tensors of the result whose bits were hashed on this occasion, in ascending order of name.
  public let verified: [FingerprintedTensor]
  /// The others: what they are if the input was what the patch was made from. Nobody looked.
  public let unverified: [FingerprintedTensor]

  static let fileSuffix = ".vpatch.json"
  static let directoryName = "vpatch.json"

  /// Where the file of a model belongs: beside the model itself, if a symbolic link leads there.
  public static func path(forModel path: String, isDirectory: Bool) -> String {
    isDirectory ? Path.join(path, directoryName) : ModelPlace(path).path + fileSuffix
  }

  /// A file that vpatch wrote, read; nil for any other.
  static func read(_ path: String) -> JSON? {
    guard PathKind.of(path, followingLinks: false) == .file,
      let text = try? InputFile.contents(of: path, limit: SafetensorsHeader.maximumLength),
      let json = try? JSON.parse(text), json["format"]?.string == format
    else { return nil }
    return json
  }

  private static let format = "vpatch.provenance.1"

  /// What the provenance beside a model says that its root is; nil where there is none, or none of ours.
  static func claimedRoot(of checkpoint: Checkpoint) -> Digest? {
    read(path(forModel: checkpoint.path, isDirectory: checkpoint.isDirectory))?["target"]?.string
      .flatMap(Digest.init(hex:))
  }

  /// - Parameter isVerified: whether a tensor's bits were hashed.
  init(_ rebuild: Rebuild, isVerified: (String) -> Bool) {
    let last = rebuild.steps[rebuild.steps.count - 1]
    let root = rebuild.steps[0].from
    // What the input's own provenance says goes on, if it speaks of the model that the input has to be.
    let beside = Self.path(forModel: rebuild.input.path, isDirectory: rebuild.input.isDirectory)
    let earlier = Self.read(beside).flatMap { $0["target"]?.string == root.hex ? $0 : nil }
    var patches = earlier?["patches"]?.array ?? []
    for step in rebuild.steps {
      if step.direction == .forward {
        patches.append(Self.record(step.patch))
      } else if patches.last?["identity"]?.string == step.patch.identity.hex {
        patches.removeLast()
      } else {
        patches = []
      }
    }
    self.patches = patches
    target = last.to
    base = patches.first?["base"]?.string.flatMap(Digest.init(hex:)) ?? last.to
    let tensors = last.patch.header.tensors.compactMap(last.output)
    verified = tensors.filter { isVerified($0.info.name) }
    unverified = tensors.filter { !isVerified($0.info.name) }
  }

  private static func record(_ patch: Patch) -> JSON {
    .dictionary([
      "identity": .string(patch.identity.hex), "name": patch.name.map { .string($0) },
      "recipe": patch.annotations["recipe"], "scale": JSON(1),
      "base": .string(patch.header.baseRoot.hex), "target": .string(patch.header.targetRoot.hex),
      // Every record names the bits it was measured on; what nobody measured has none.
      "forgetting": patch.annotations["forgetting"] ?? .array([]),
    ])
  }

  /// The text of the file beside the model.
  public var text: String { json.pretty() + "\n" }

  /// Without the fingerprints of the tensors: what fits into a file's metadata.
  public var summary: JSON {
    .dictionary([
      "format": .string(Self.format),
      "writer": .string("vpatch \(vpatchVersion)"),
      "base": .string(base.hex),
      "target": .string(target.hex),
      "patches": .array(patches),
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
