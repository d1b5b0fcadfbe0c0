import GRDB
import Glibc
import PatchFormat

/// What nothing in a store refers to.
public struct Garbage: Sendable, Equatable {
  /// Composites and undos that no stack and no application needs, and that nobody named.
  public let derived: [StoredPatch]
  /// Patch files that the catalogue does not know.
  public let orphans: [String]
  /// What interrupted processes left.
  public let temporaries: [String]
  /// All of it, on the disk.
  public let bytes: Int

  public var isEmpty: Bool { derived.isEmpty && orphans.isEmpty && temporaries.isEmpty }
}

extension Store {
  /// What could go.
  /// - Parameter forgetting: models that nothing needs to stay for, since they are no more.
  /// - Throws: `io` where nothing is known of such a model.
  public func garbage(forgetting: [String] = []) throws -> Garbage { try locked { try findGarbage(forgetting) } }

  /// Removes what nothing refers to at this moment, and what was done to those models.
  /// - Returns: what is gone.
  public func collect(forgetting: [String] = []) throws -> Garbage {
    try locked {
      let garbage = try findGarbage(forgetting)
      // As in `remove`: first what is known, then what is there.
      try write { db in
        for model in forgetting { try db.execute(sql: "DELETE FROM applications WHERE model = ?", arguments: [model]) }
        for patch in garbage.derived { try forget(requiredID(of: patch.identity, db), db) }
      }
      _ = try unlink(garbage.derived.map { file(of: $0.identity) } + garbage.orphans + garbage.temporaries)
      return garbage
    }
  }

  private func findGarbage(_ forgetting: [String]) throws -> Garbage {
    let (derived, known) = try read { db in
      let models = try Row.fetchAll(db, sql: "SELECT DISTINCT model FROM applications ORDER BY model").map {
        try $0.text(0)
      }
      for model in forgetting where !models.contains(where: { $0.isSame(as: model) }) {
        throw unknown(model, "is no model that the store knows of", models)
      }
      let derived = try Row.fetchAll(
        db,
        sql: """
          SELECT \(StoredPatch.columns) FROM patches p WHERE p.kind <> 'patch'
          AND NOT EXISTS (SELECT 1 FROM aliases WHERE patch = p.id)
          AND NOT EXISTS (SELECT 1 FROM tags WHERE patch = p.id)
          AND NOT EXISTS (SELECT 1 FROM stack_members WHERE patch = p.id)
          AND NOT EXISTS (
            SELECT 1 FROM application_patches n JOIN applications a ON a.id = n.application
            WHERE n.patch = p.id AND a.model NOT IN (\(forgetting.map { _ in "?" }.joined(separator: ", "))))
          AND NOT EXISTS (
            SELECT 1 FROM composites c JOIN stack_versions v ON v.identity = c.stack WHERE c.patch = p.id)
          ORDER BY p.identity
          """, arguments: StatementArguments(forgetting)
      ).map(StoredPatch.init)
      let known = try Row.fetchAll(db, sql: "SELECT identity FROM patches").map { try $0.digest(0) }
      return (derived, Set(known))
    }
    let folder = try PatchFolder(self)
    let orphans = folder.patches.filter { !known.contains($0.identity) }.map(\.path)
    let files = derived.map { file(of: $0.identity) } + orphans + folder.temporaries
    let bytes = files.reduce(0) { sum, file in
      var info = stat()
      return sum + (lstat(file, &info) == 0 && info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : 0)
    }
    return Garbage(derived: derived, orphans: orphans, temporaries: folder.temporaries, bytes: bytes)
  }
}
