import Apply
import Base
import Checkpoints

/// What a model that vpatch wrote is: a small JSON file beside it, bound to its bits by fingerprints.
package struct Provenance: Equatable, Sendable {
  package let state: ModelState
  /// What the model was before it was changed in place, the latest last.
  package let history: [ModelState]
  /// The tensors of the model whose bits were hashed, when it was written or changed, in ascending order of name.
  package let verified: [Fingerprint]
  /// The others: what they are if the input was what the patch was made from. Nobody looked.
  package let unverified: [Fingerprint]

  /// A tensor's name and fingerprint.
  package struct Fingerprint: Hashable, Sendable {
    package let name: String
    package let digest: ContentDigest
  }

  package var base: ContentDigest { state.base }
  package var target: ContentDigest { state.root }

  private static let format = "vpatch.provenance.1"
  /// How many earlier states are kept.
  private static let maximumHistory = 16

  /// Where the file of a model belongs: beside the model itself, if a symbolic link leads there.
  package static func path(forModel path: String, isDirectory: Bool) throws -> String {
    try isDirectory ? Path.join(path, ModelPlace.provenanceName) : ModelPlace(path).path + ModelPlace.provenanceSuffix
  }

  /// What is to be written of the result.
  /// - Parameters:
  ///   - earlier: the input's own provenance; it goes on if it speaks of the model that the input has to be.
  ///   - isVerified: whether a tensor's bits were hashed.
  ///   - inPlace: whether the input is no longer there then.
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
    // What was hashed when the model was changed before, and is the same now, needs no second look to be remembered.
    let known = Set(inPlace ? (before?.verified ?? []) : [])
    verified = tensors.filter { isVerified($0.name) || known.contains($0) }
    unverified = tensors.filter { !isVerified($0.name) && !known.contains($0) }
  }

  // MARK: Reading

  /// Whether a path is a file that vpatch wrote as a provenance.
  /// - Throws: `io` where it cannot be read.
  package static func isOne(_ path: String) throws -> Bool {
    guard try PathKind.of(path, followingLinks: false) == .file else { return false }
    return try json(InputFile(path: path)) != nil
  }

  /// Nil where it is none of ours.
  private static func json(_ file: InputFile) throws -> JSON? {
    guard file.size <= SafetensorsHeader.maximumLength else { return nil }
    let text = try file.contents(limit: SafetensorsHeader.maximumLength)
    return (try? JSON.parse(text)).flatMap { $0["format"]?.string == format ? $0 : nil }
  }

  /// The provenance that lay beside a model when it was opened; nil where there was none, or none of ours.
  /// - Throws: `invalid` for one of ours that says what cannot be.
  package static func of(_ checkpoint: Checkpoint) throws -> Provenance? { try checkpoint.provenance.flatMap(read) }

  /// The same; nil also for one that says what cannot be.
  /// - Throws: `io` where it cannot be read.
  package static func valid(of checkpoint: Checkpoint) throws -> Provenance? {
    do { return try of(checkpoint) } catch let error as VPatchError where error.code == .invalid { return nil }
  }

  package static func read(_ file: InputFile) throws -> Provenance? {
    let path = file.path
    guard let json = try json(file) else { return nil }
    func invalid(_ reason: String) -> VPatchError {
      VPatchError(
        .invalid, path, reason, remedy: "remove that file: without it the model is hashed to find out what it is")
    }
    guard let base = json["base"]?.string.flatMap(ContentDigest.init(hex:)),
      let target = json["target"]?.string.flatMap(ContentDigest.init(hex:))
    else { throw invalid("does not say the model's base and root") }
    func state(_ base: ContentDigest, _ json: JSON?) throws -> ModelState {
      let entries = try (json?.array ?? []).map { try ModelState.Entry(json: $0, subject: path) }
      for (root, entry) in zip([base] + entries.map(\.to), entries) where entry.from != root {
        throw invalid("has patches that are not made one on top of the other")
      }
      return ModelState(base: base, entries: entries)
    }
    let now = try state(base, json["patches"])
    guard now.root == target else { throw invalid("has patches that do not lead to the root it names") }
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
      throw invalid("has fingerprints that are not those of the root it names")
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

  /// Without the fingerprints of the tensors: what fits into a file's metadata.
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

  /// The file's text.
  package var text: [UInt8] { Array((json.pretty() + "\n").utf8) }
}
