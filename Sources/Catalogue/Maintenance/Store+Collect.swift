import Base
import GRDB
import Glibc

/// What nothing in a store refers to.
package struct Garbage: Sendable, Equatable {
  /// Composites and undos without a name that no stack and no application needs.
  package let derived: [StoredPatch]
  /// Patch files that are not in the catalogue.
  package let orphans: [String]
  /// Leftovers of interrupted processes.
  package let temporaries: [String]
  /// Size of all of it in bytes.
  package let bytes: Int

  package var isEmpty: Bool { derived.isEmpty && orphans.isEmpty && temporaries.isEmpty }
}

extension Store {
  /// What could be deleted.
  /// - Parameter forgetting: models that no longer exist, so that nothing must be kept for them.
  /// - Throws: `io` for an unknown model.
  package func garbage(forgetting: [String] = []) throws -> Garbage {
    try lockedToLook {
      let folder = try PatchFolder(self)
      let (derived, known) = try read { db in
        try requireModels(forgetting, db)
        return (try findDerived(forgetting, db), try Self.known(db))
      }
      let orphans = folder.orphans(known)
      return Garbage(
        derived: derived, orphans: orphans, temporaries: folder.temporaries,
        bytes: bytes(derived.map { file(of: $0.identity) } + orphans + folder.temporaries))
    }
  }

  /// Deletes what nothing refers to, and the applications to these models.
  /// - Returns: what was deleted.
  package func collect(forgetting: [String] = []) throws -> Garbage {
    try lockedToDelete { isFull in
      // While the lock is held, files neither appear nor disappear.
      let folder = try PatchFolder(self)
      reached(.listed)
      let (derived, orphans, freed) = try collectDerived(forgetting, folder, isFull)
      let files = orphans + folder.temporaries
      let bytes = freed + bytes(files)
      _ = try unlink(files)
      return Garbage(derived: derived, orphans: orphans, temporaries: folder.temporaries, bytes: bytes)
    }
  }

  /// - Parameter isFull: the disk is full, so only a few rows are deleted at a time, and each deletion frees space.
  /// - Returns: the deleted patches; the files without a row; the bytes of the deleted files.
  private func collectDerived(
    _ forgetting: [String], _ folder: PatchFolder, _ isFull: Bool
  ) throws -> ([StoredPatch], [String], Int) {
    var derived: [StoredPatch] = []
    var orphans: [String] = []
    var freed = 0
    var isDone = false
    while !isDone {
      let isFirst = derived.isEmpty
      // Finding and deleting are one transaction: a patch that is named or leased before is kept, and one that is
      // needed later is not found.
      let now = try write { db in
        if isFirst {
          orphans = folder.orphans(try Self.known(db))
          try requireModels(forgetting, db)
          for model in forgetting {
            try db.execute(sql: "DELETE FROM applications WHERE model = ?", arguments: [model])
          }
          try endAbandonedLeases(db)
        }
        var found = try findDerived([], db)
        if isFull { found = Array(found.prefix(16)) }
        for patch in found { try forget(requiredID(of: patch.identity, db), db) }
        return found
      }
      reached(.forgotten)
      // As in `remove`: first the rows, then the files.
      freed += try unlink(now.map { file(of: $0.identity) })
      derived += now
      isDone = !isFull || now.isEmpty
    }
    return (derived, orphans, freed)
  }

  private func requireModels(_ models: [String], _ db: Database) throws {
    guard !models.isEmpty else { return }
    let known = try Row.fetchAll(db, sql: "SELECT DISTINCT model FROM applications ORDER BY model").map {
      try $0.text(0)
    }
    for model in models where !known.contains(where: { $0.isSame(as: model) }) {
      throw unknown(model, "is not a model in the store's records", known)
    }
  }

  private static func known(_ db: Database) throws -> Set<ContentDigest> {
    Set(try Row.fetchAll(db, sql: "SELECT identity FROM patches").map { try $0.digest(0) })
  }

  /// Derived patches (composites and undos) that nothing needs.
  private func findDerived(_ forgetting: [String], _ db: Database) throws -> [StoredPatch] {
    let living = try Self.livingOwners(db, path).map(String.init).joined(separator: ", ")
    return try Row.fetchAll(
      db,
      sql: """
        SELECT \(StoredPatch.columns) FROM patches p WHERE p.kind <> 'patch'
        AND NOT EXISTS (SELECT 1 FROM aliases WHERE patch = p.id)
        AND NOT EXISTS (SELECT 1 FROM tags WHERE patch = p.id)
        AND NOT EXISTS (SELECT 1 FROM stack_members WHERE patch = p.id)
        AND NOT EXISTS (SELECT 1 FROM leases WHERE patch = p.id AND owner IN (\(living)))
        AND NOT EXISTS (
          SELECT 1 FROM application_patches n JOIN applications a ON a.id = n.application
          WHERE n.patch = p.id AND a.model NOT IN (\(forgetting.map { _ in "?" }.joined(separator: ", "))))
        AND NOT EXISTS (
          SELECT 1 FROM composites c JOIN stack_versions v ON v.identity = c.stack WHERE c.patch = p.id)
        ORDER BY p.identity
        """, arguments: StatementArguments(forgetting)
    ).map(StoredPatch.init)
  }

  private func bytes(_ files: [String]) -> Int {
    files.reduce(0) { sum, file in
      var info = stat()
      return sum + (lstat(file, &info) == 0 && info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : 0)
    }
  }
}
