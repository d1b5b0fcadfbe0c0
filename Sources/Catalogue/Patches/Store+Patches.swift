import Base
import GRDB
import PatchFormat

extension Store {
  /// The file of a patch; nil where it is not in the store, or its file is missing.
  package func path(of identity: ContentDigest) throws -> String? {
    let file = file(of: identity)
    return try contains(identity) && PathKind.of(file) == .file ? file : nil
  }

  package func contains(_ identity: ContentDigest) throws -> Bool {
    try read { db in try Self.id(of: identity, db) != nil }
  }

  /// Opens a patch and verifies it completely.
  /// - Throws: `io` where it is not in the store or its file is missing; `invalid` where its file is damaged.
  package func patch(_ identity: ContentDigest, threads: Int = 2) throws -> Patch {
    guard let row = try stored(identity) else { throw isUnknown(identity) }
    do { return try open(identity, label: row.label ?? identity.short, threads: threads) } catch {
      // Another process may have removed it in between.
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

  /// The catalogue's data about a patch; nil where it is not in the store.
  package func stored(_ identity: ContentDigest) throws -> StoredPatch? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT \(StoredPatch.columns) FROM patches p WHERE p.identity = ?", arguments: [identity.data]
      ).map(StoredPatch.init)
    }
  }

  /// The name of a patch for display.
  package func label(_ identity: ContentDigest) throws -> String? { try stored(identity)?.label }

  private func hasLostFile(_ identity: ContentDigest, _ label: String) -> VPatchError {
    VPatchError(
      .io, "patch \(label)", "lacks its file \(file(of: identity))",
      remedy: "add the file again with vpatch add; vpatch fsck checks the rest")
  }

  // MARK: Annotations

  /// Whether a patch was opened from its file in this store.
  package func holds(_ patch: Patch) throws -> Bool {
    guard let file = try path(of: patch.identity) else { return false }
    return try file == patch.path || Path.resolved(file) == Path.resolved(patch.path)
  }

  /// Replaces the annotations of a patch: its identity stays, its file is replaced as a whole, and its row is
  /// rewritten. Concurrent edits are kept.
  /// - Parameter change: gets the current patch and returns its new annotations.
  /// - Throws: `io` where it is not in the store; rethrows what `change` throws, with nothing changed.
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
