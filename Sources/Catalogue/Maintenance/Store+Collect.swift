import Base
import GRDB
import Glibc

/// What nothing in a store refers to.
package struct Garbage: Sendable, Equatable {
  /// Composites and undos that no stack and no application needs, and that nobody named.
  package let derived: [StoredPatch]
  /// Patch files that the catalogue does not know.
  package let orphans: [String]
  /// What interrupted processes left.
  package let temporaries: [String]
  /// All of it, on the disk.
  package let bytes: Int

  package var isEmpty: Bool { derived.isEmpty && orphans.isEmpty && temporaries.isEmpty }
}

extension Store {
  /// What could go.
  /// - Parameter forgetting: models that nothing needs to stay for, since they are no more.
  /// - Throws: `io` where nothing is known of such a model.
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

  /// Removes what nothing refers to at this moment, and what was done to those models.
  /// - Returns: what is gone.
  package func collect(forgetting: [String] = []) throws -> Garbage {
    try lockedToDelete { isFull in
      // While the lock is held, no file comes, and none goes.
      let folder = try PatchFolder(self)
      reached(.listed)
      let (derived, orphans, freed) = try collectDerived(forgetting, folder, isFull)
      let files = orphans + folder.temporaries
      let bytes = freed + bytes(files)
      _ = try unlink(files)
      return Garbage(derived: derived, orphans: orphans, temporaries: folder.temporaries, bytes: bytes)
    }
  }

  /// - Parameter isFull: there is little room to write down what goes: it goes a few at a time, and each makes some.
  /// - Returns: what is gone; the files that no row spoke of; the bytes of what is gone.
  private func collectDerived(
    _ forgetting: [String], _ folder: PatchFolder, _ isFull: Bool
  ) throws -> ([StoredPatch], [String], Int) {
    var derived: [StoredPatch] = []
    var orphans: [String] = []
    var freed = 0
    var isDone = false
    while !isDone {
      let isFirst = derived.isEmpty
      // What finds also deletes: whatever is named or leased before stays, and whoever comes later finds it gone.
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
      // As in `remove`: first what is known, then what is there.
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
      throw unknown(model, "is no model that the store knows of", known)
    }
  }

  private static func known(_ db: Database) throws -> Set<ContentDigest> {
    Set(try Row.fetchAll(db, sql: "SELECT identity FROM patches").map { try $0.digest(0) })
  }

  /// Patches that were made here, and that nothing needs.
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
