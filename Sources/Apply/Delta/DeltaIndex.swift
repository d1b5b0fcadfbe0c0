// The index of a canonical delta, `model.safetensors.index.json`, as slime and ModelExpress write and read it.

import Base
import Checkpoints

/// What the index of a canonical delta says about it.
package struct DeltaIndex: Sendable, Equatable {
  /// The version of the weights that it makes, and that of its base: names that the trainer gives.
  package let version: String
  package let baseVersion: String
  package let checksum: DeltaChecksum
  /// The root digests of the base and of the model that it makes. Only vpatch writes them.
  package let roots: Roots?

  package struct Roots: Sendable, Equatable {
    package let base: ContentDigest
    package let target: ContentDigest
  }

  private static let baseRootKey = "vpatch_base_root"
  private static let targetRootKey = "vpatch_target_root"

  package init(version: String, baseVersion: String, checksum: DeltaChecksum, roots: Roots?) {
    self.version = version
    self.baseVersion = baseVersion
    self.checksum = checksum
    self.roots = roots
  }

  /// - Parameter path: the file's path, for messages.
  /// - Throws: `refused` for another encoding, compression or checksum, and a delta without changes; `invalid`.
  package init(_ json: JSON, _ path: String) throws {
    guard let object = json["metadata"]?.object else {
      throw VPatchError(.invalid, path, "has a \"metadata\" that is not an object")
    }
    let members = ObjectReader(object) { reason, _, remedy in VPatchError(.invalid, path, reason, remedy: remedy) }
    try Self.require(members, SafetensorsCheckpoint.deltaMark, "xor", "--update-weight-delta-encoding xor", path)
    try Self.require(members, "compression_format", "zstd", nil, path)
    let kind = try members.text("checksum_format")
    guard let checksum = DeltaChecksum(rawValue: kind) else {
      throw VPatchError(
        .refused, path,
        "has checksums of the kind \"\(kind.printable)\"; known are \(DeltaChecksum.allCases.map(\.rawValue).asAlternatives)",
        remedy: "write it with one of these (slime: --update-weight-delta-checksum adler32)")
    }
    self.checksum = checksum
    version = try Self.version(members, "version")
    baseVersion = try Self.version(members, "base_version")
    let base = try members.optionalDigest(Self.baseRootKey)
    let target = try members.optionalDigest(Self.targetRootKey)
    roots = if let base, let target { Roots(base: base, target: target) } else { nil }
    guard json["weight_map"]?.object?.isEmpty != true else {
      throw VPatchError(
        .refused, path, "changes no tensor: version \(version.printable) has the weights of \(baseVersion.printable)",
        remedy: "a patch needs at least one tensor that differs")
    }
  }

  private static func require(
    _ members: ObjectReader<VPatchError>, _ key: String, _ value: String, _ option: String?, _ path: String
  ) throws {
    let found = try members.text(key)
    guard found != value else { return }
    throw VPatchError(
      .refused, path, "has the \"\(key)\" \"\(found.printable)\"; vpatch reads \"\(value)\"",
      remedy: "write it so" + (option.map { " (slime: \($0))" } ?? ""))
  }

  /// A version's name: a string, or a number as some writers have it.
  private static func version(_ members: ObjectReader<VPatchError>, _ key: String) throws -> String {
    try members.value(key, "a name or a number") { value in
      value.string.flatMap { $0.isEmpty ? nil : $0 } ?? value.int.map(String.init)
    }
  }

  /// The text of the file.
  /// - Parameter shards: the shard of each tensor, by name.
  package func text(_ shards: [(name: String, shard: String)]) -> String {
    let metadata = JSON.dictionary([
      "version": .string(version), "base_version": .string(baseVersion),
      SafetensorsCheckpoint.deltaMark: .string("xor"), "compression_format": .string("zstd"),
      "checksum_format": .string(checksum.rawValue), Self.baseRootKey: roots.map { .string($0.base.hex) },
      Self.targetRootKey: roots.map { .string($0.target.hex) },
    ])
    let map = JSON.object(shards.map { JSON.Member($0.name, .string($0.shard)) })
    return JSON.dictionary(["metadata": metadata, "weight_map": map]).pretty() + "\n"
  }
}
