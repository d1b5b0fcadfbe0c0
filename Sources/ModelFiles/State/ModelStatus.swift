import Base
import Checkpoints

/// The recorded state of a model, and whether its tensors match it.
package struct ModelStatus: Sendable {
  package let model: SafetensorsCheckpoint
  /// The provenance file beside it; nil where there is none.
  package let provenance: Provenance?
  /// The root from hashing all tensors; nil where only some were hashed.
  package let hashedRoot: ContentDigest?
  /// Number of tensors that were hashed.
  package let checked: Int
  /// Number of tensors that were not hashed.
  package let unverified: Int
  /// Tensors whose values differ from the recorded fingerprints.
  package let changed: [String]
  /// Tensors that are recorded but missing.
  package let lacking: [String]
  /// Tensors that exist but are not recorded.
  package let extra: [String]

  /// - Parameter full: hash all tensors; otherwise only those that were verified when the provenance was written.
  ///   Without a provenance all are hashed in any case.
  package init(_ model: SafetensorsCheckpoint, full: Bool, _ work: WorkOptions) throws {
    self.model = model
    let provenance = try Provenance.of(model)
    self.provenance = provenance
    guard let provenance else {
      hashedRoot = try model.root(work)
      checked = model.tensors.count
      unverified = 0
      changed = []
      lacking = []
      extra = []
      return
    }
    let told = full ? provenance.verified + provenance.unverified : provenance.verified
    let pairs = told.compactMap { fingerprint in
      model.tensor(named: fingerprint.name).map { (tensor: $0, digest: fingerprint.digest) }
    }
    let digests = try model.fingerprints(of: pairs.map(\.tensor), work, phase: "verifying")
    changed = zip(pairs, digests).filter { $0.digest != $1 }.map(\.0.tensor.name)
    let all = provenance.verified + provenance.unverified
    let names = Set(all.map(\.name.bytesKey))
    lacking = all.map(\.name).filter { model.tensor(named: $0) == nil }
    extra = model.tensors.map(\.name).filter { !names.contains($0.bytesKey) }
    checked = pairs.count
    unverified = model.tensors.count - extra.count - pairs.count
    hashedRoot =
      full && lacking.isEmpty && extra.isEmpty && changed.isEmpty ? provenance.state.root : nil
  }

  /// Whether nothing contradicts the provenance.
  package var isTrue: Bool { changed.isEmpty && lacking.isEmpty && extra.isEmpty }

  /// What contradicts it, in a sentence; nil where nothing does.
  package var contradiction: String? {
    var parts: [String] = []
    func add(_ names: [String], _ verb: String) {
      guard let first = names.first else { return }
      let more = names.count > 1 ? ", first \"\(first.printable)\"" : " \"\(first.printable)\""
      parts.append("\(Format.counted(names.count, "tensor")) \(verb)\(more)")
    }
    add(changed, changed.count == 1 ? "differs:" : "differ")
    add(lacking, lacking.count == 1 ? "is missing:" : "are missing")
    add(extra, extra.count == 1 ? "is new:" : "are new")
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
