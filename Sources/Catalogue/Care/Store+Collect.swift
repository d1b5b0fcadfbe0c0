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
  public func garbage() throws -> Garbage { try locked { try findGarbage() } }

  /// Removes what nothing refers to at this moment.
  /// - Returns: what is gone.
  public func collect() throws -> Garbage {
    try locked {
      let garbage = try findGarbage()
      // As in `remove`: first what is known, then what is there.
      try write { db in
        for patch in garbage.derived { try forget(requiredID(of: patch.identity, db), db) }
      }
      _ = try unlink(garbage.derived.map { file(of: $0.identity) } + garbage.orphans + garbage.temporaries)
      return garbage
    }
  }

  private func findGarbage() throws -> Garbage {
    let (derived, known) = try read { db in
      let derived = try Row.fetchAll(
        db,
        sql: """
          SELECT \(StoredPatch.columns) FROM patches p WHERE p.kind <> 'patch'
          AND NOT EXISTS (SELECT 1 FROM aliases WHERE patch = p.id)
          AND NOT EXISTS (SELECT 1 FROM tags WHERE patch = p.id)
          AND NOT EXISTS (SELECT 1 FROM stack_members WHERE patch = p.id)
          AND NOT EXISTS (SELECT 1 FROM application_patches WHERE patch = p.id)
          AND NOT EXISTS (
            SELECT 1 FROM composites c JOIN stack_versions v ON v.identity = c.stack WHERE c.patch = p.id)
          ORDER BY p.identity
          """
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
