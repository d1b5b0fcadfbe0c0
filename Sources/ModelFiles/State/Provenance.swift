import Apply
import Base
import Checkpoints

/// A small JSON file beside a model that vpatch wrote: what the model is, bound to its weights by fingerprints.
package struct Provenance: Equatable, Sendable {
  package let state: ModelState
  /// Earlier states of a model that was changed in place, the latest last.
  package let history: [ModelState]
  /// The tensors that were hashed when the model was written or changed, in ascending order of name.
  package let verified: [Fingerprint]
  /// The other tensors, with the fingerprints that they have if the input was the patch's base. They were not hashed.
  package let unverified: [Fingerprint]

  /// A tensor's name and fingerprint.
  package struct Fingerprint: Hashable, Sendable {
    package let name: String
    package let digest: ContentDigest
  }

  package var base: ContentDigest { state.base }
  package var target: ContentDigest { state.root }

  private static let format = "vpatch.provenance.1"
  /// Maximum number of earlier states.
  private static let maximumHistory = 16

  /// The path of a model's provenance file: beside the model itself, if `path` is a symbolic link.
  package static func path(forModel path: String, isDirectory: Bool) throws -> String {
    try isDirectory ? Path.join(path, ModelPlace.provenanceName) : ModelPlace(path).path + ModelPlace.provenanceSuffix
  }

  /// The provenance of a result.
  /// - Parameters:
  ///   - earlier: the input's provenance. It is continued if it describes the expected input.
  ///   - isVerified: whether a tensor was hashed.
  ///   - inPlace: whether the result replaces the input.
  package init(_ rebuild: Rebuild, earlier: Provenance?, inPlace: Bool, isVerified: (String) -> Bool) {
    let last = rebuild.steps[rebuild.steps.count - 1]
    let root = rebuild.steps[0].from
    let before = earlier.flatMap { $0.state.root == root ? $0 : nil }
    let input = before?.state ?? ModelState(base: root)
    state = rebuild.steps.reduce(input) { $0.applying($1) }
    history = inPlace ? Array(((before?.history ?? []) + [input]).suffix(Self.maximumHistory)) : []
    let tensors = last.outputs.map {
      Fingerprint(name: $0.info.name, digest: $0.fingerprint)
    }
    // Tensors that were hashed at an earlier change and are unchanged still count as verified.
    let known = Set(inPlace ? (before?.verified ?? []) : [])
    verified = tensors.filter { isVerified($0.name) || known.contains($0) }
    unverified = tensors.filter { !isVerified($0.name) && !known.contains($0) }
  }

  // MARK: Reading

  /// Whether the file at a path is a provenance file of vpatch.
  /// - Throws: `io` where it cannot be read.
  package static func isOne(_ path: String) throws -> Bool {
    guard try PathKind.of(path, followingLinks: false) == .file else { return false }
    return try json(InputFile(path: path)) != nil
  }

  /// Nil where it is not a provenance file.
  private static func json(_ file: InputFile) throws -> JSON? {
    guard file.size <= SafetensorsHeader.maximumLength else { return nil }
    let text = try file.contents(limit: SafetensorsHeader.maximumLength)
    return (try? JSON.parse(text)).flatMap { $0["format"]?.string == format ? $0 : nil }
  }

  /// The provenance beside a model when it was opened; nil where there was none.
  /// - Throws: `invalid` for an inconsistent one.
  package static func of(_ checkpoint: SafetensorsCheckpoint) throws -> Provenance? {
    try checkpoint.provenance.flatMap(read)
  }

  /// Like `of`, but nil also for an inconsistent one.
  /// - Throws: `io` where it cannot be read.
  package static func valid(of checkpoint: SafetensorsCheckpoint) throws -> Provenance? {
    do { return try of(checkpoint) } catch let error as VPatchError where error.code == .invalid { return nil }
  }

  package static func read(_ file: InputFile) throws -> Provenance? {
    let path = file.path
    guard let json = try json(file) else { return nil }
    func invalid(_ reason: String) -> VPatchError {
      VPatchError(
        .invalid, path, reason, remedy: "remove that file: vpatch then hashes the model to identify it")
    }
    guard let base = json["base"]?.string.flatMap(ContentDigest.init(hex:)),
      let target = json["target"]?.string.flatMap(ContentDigest.init(hex:))
    else { throw invalid("lacks the model's base or root") }
    func state(_ base: ContentDigest, _ json: JSON?) throws -> ModelState {
      let entries = try (json?.array ?? []).map { try ModelState.Entry(json: $0, subject: path) }
      for (root, entry) in zip([base] + entries.map(\.to), entries) where entry.from != root {
        throw invalid("has patches that do not form a chain")
      }
      return ModelState(base: base, entries: entries)
    }
    let now = try state(base, json["patches"])
    guard now.root == target else { throw invalid("has patches that do not lead to its root") }
    let history = try (json["history"]?.array ?? []).map { earlier in
      guard let base = earlier["base"]?.string.flatMap(ContentDigest.init(hex:)) else {
        throw invalid("has a history without a base")
      }
      return try state(base, earlier["patches"])
    }
    func fingerprints(_ key: String) throws -> [Fingerprint] {
      try (json[key]?.object ?? []).map { member in
        guard let digest = member.value.string.flatMap(ContentDigest.init(hex:)) else {
          throw invalid("has no fingerprint for \"\(member.key.printable)\"")
        }
        return Fingerprint(name: member.key, digest: digest)
      }
    }
    let provenance = Provenance(
      state: now, history: history, verified: try fingerprints("verified"), unverified: try fingerprints("unverified"))
    let all = (provenance.verified + provenance.unverified).sorted { $0.name.precedes($1.name) }
    guard ContentDigest.root(of: all.lazy.map { ($0.name, $0.digest) }) == target else {
      throw invalid("has fingerprints that do not match its root")
    }
    return provenance
  }

  private init(state: ModelState, history: [ModelState], verified: [Fingerprint], unverified: [Fingerprint]) {
    self.state = state
    self.history = history
    self.verified = verified
    self.unverified = unverified
  }

  // MARK: Writing

  /// Without the fingerprints of the tensors, to fit into a file's metadata.
  package var summary: JSON {
    .dictionary([
      "format": .string(Self.format),
      "writer": .string("vpatch \(vpatchVersion)"),
      "base": .string(base.hex),
      "target": .string(target.hex),
      "patches": .array(state.entries.map(\.json)),
    ])
  }

  package var json: JSON {
    func fingerprints(_ list: [Fingerprint]) -> JSON {
      .object(list.map { JSON.Member($0.name, .string($0.digest.hex)) })
    }
    let earlier = history.map(\.json)
    return .object(
      (summary.object ?? []) + (earlier.isEmpty ? [] : [JSON.Member("history", .array(earlier))]) + [
        JSON.Member("verified", fingerprints(verified)), JSON.Member("unverified", fingerprints(unverified)),
      ])
  }

  /// The file's contents.
  package var text: [UInt8] { Array((json.pretty() + "\n").utf8) }
}
