import Base
import GRDB
import PatchFormat

extension Store {
  /// The file of a patch; nil where it is not in the store, or its file is gone.
  package func path(of identity: ContentDigest) throws -> String? {
    let file = file(of: identity)
    return try contains(identity) && PathKind.of(file) == .file ? file : nil
  }

  package func contains(_ identity: ContentDigest) throws -> Bool {
    try read { db in try Self.id(of: identity, db) != nil }
  }

  /// A patch, opened and verified as a whole.
  /// - Throws: `io` where it is not in the store or its file is gone, `invalid` where its file is damaged.
  package func patch(_ identity: ContentDigest, threads: Int = 2) throws -> Patch {
    guard let row = try stored(identity) else { throw isUnknown(identity) }
    do { return try open(identity, label: row.label ?? identity.short, threads: threads) } catch {
      // Somebody may have taken it out of the store between the two.
      guard try contains(identity) else { throw isUnknown(identity) }
      throw error
    }
  }

  private func open(_ identity: ContentDigest, label: String, threads: Int) throws -> Patch {
    let file = file(of: identity)
    guard try PathKind.of(file) == .file else {
      throw hasLostFile(identity, label)
    }
    let patch: Patch
    do { patch = try Patch(path: file, threads: threads, label: label) } catch let error as VPatchError
      where error.code == .invalid
    {
      throw VPatchError(
        .invalid, file, error.reason, remedy: "add the file again with vpatch add; vpatch fsck checks the rest")
    }
    guard patch.identity == identity else {
      throw VPatchError(
        .invalid, file, "is another patch: \(patch.identity.short)",
        remedy: "add the right file again with vpatch add; vpatch fsck checks the rest")
    }
    return patch
  }

  /// What the catalogue says of a patch.
  package func stored(_ identity: ContentDigest) throws -> StoredPatch? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT \(StoredPatch.columns) FROM patches p WHERE p.identity = ?", arguments: [identity.data]
      ).map(StoredPatch.init)
    }
  }

  /// What a person calls a patch.
  package func label(_ identity: ContentDigest) throws -> String? { try stored(identity)?.label }

  private func hasLostFile(_ identity: ContentDigest, _ label: String) -> VPatchError {
    VPatchError(
      .io, "patch \(label)", "has lost its file \(file(of: identity))",
      remedy: "add the file again with vpatch add; vpatch fsck checks the rest")
  }

  // MARK: Annotations

  /// Whether a patch was opened from its file in this store.
  package func holds(_ patch: Patch) throws -> Bool {
    guard let file = try path(of: patch.identity) else { return false }
    return try file == patch.path || Path.resolved(file) == Path.resolved(patch.path)
  }

  /// Gives a patch other annotations: its identity stays, its file is replaced whole, and its row written anew. What
  /// others note at the same time stays too.
  /// - Parameter change: is given the patch as it is now, and returns its new annotations.
  /// - Throws: `io` where it is not in the store; what `change` throws, and then nothing is changed.
  package func editAnnotations(_ identity: ContentDigest, threads: Int = 2, _ change: (Patch) throws -> JSON) throws {
    try locked {
      guard let row = try stored(identity) else { throw isUnknown(identity) }
      let label = row.label ?? identity.short
      guard try PathKind.of(file(of: identity)) == .file else { throw hasLostFile(identity, label) }
      let patch = try Patch.editAnnotations(at: file(of: identity), threads: threads, label: label, change)
      let facts = PatchFacts(patch)
      try write { db in try facts.update(db) }
    }
  }
}
