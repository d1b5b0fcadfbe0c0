import Base
import GRDB
import Glibc

extension Store {
  /// Removes patches from the store: all of them, or none.
  /// - Parameters:
  ///   - named: the names by which they were given. An alias among them is removed with its patch.
  ///   - force: remove their other aliases and their tags too.
  /// - Returns: the bytes of the removed files.
  /// - Throws: `refused` for a patch that a stack, an application or a running command needs, or that has other names.
  @discardableResult
  package func remove(_ patches: [ContentDigest], named: [String] = [], force: Bool = false) throws -> Int {
    try remove(patches.map { .identity($0) }, alsoNamed: named, force: force).bytes
  }

  /// The same for patches by their names.
  package func remove(_ patches: [PatchName], force: Bool = false) throws -> (patches: [ContentDigest], bytes: Int) {
    try remove(patches, alsoNamed: [], force: force)
  }

  private func remove(
    _ patches: [PatchName], alsoNamed: [String], force: Bool
  ) throws -> (patches: [ContentDigest], bytes: Int) {
    let named = alsoNamed + patches.compactMap(\.typed)
    return try lockedToDelete { _ in
      // First the rows, then the files: if the process is killed in between, a file without a row remains.
      let identities = try write { db in
        let identities = Set(try patches.map { try resolve($0, db) }).sorted()
        try endAbandonedLeases(db)
        for identity in identities {
          let id = try requiredID(of: identity, db)
          try refuseIfNeeded(id, identity, db)
          try refuseIfLeased(id, identity, db)
          if !force { try refuseIfNamed(id, identity, named, db) }
          try forget(id, db)
        }
        return identities
      }
      reached(.forgotten)
      do { return (identities, try unlink(identities.map { file(of: $0) })) } catch let error as VPatchError {
        throw VPatchError(
          error.code, error.subject, error.reason,
          remedy: "the patch was removed from the catalogue, but its file remains: 'vpatch gc' deletes it")
      }
    }
  }

  /// Deletes the row of a patch and all rows that only concern it.
  func forget(_ id: Int64, _ db: Database) throws {
    for table in ["aliases", "tags", "composites", "leases"] {
      try db.execute(sql: "DELETE FROM \(table) WHERE patch = ?", arguments: [id])
    }
    try db.execute(sql: "DELETE FROM patches WHERE id = ?", arguments: [id])
  }

  /// Deletes files and empty folders, durably. A missing file is no error.
  /// - Returns: the files' bytes.
  func unlink(_ files: [String]) throws -> Int {
    var bytes = 0
    // Contents of a folder before the folder.
    for file in files.sorted().reversed() {
      var info = stat()
      guard lstat(file, &info) == 0 else {
        guard errno == ENOENT else { throw VPatchError.system(file, "cannot be examined") }
        continue
      }
      let isFolder = info.st_mode & S_IFMT == S_IFDIR
      guard (isFolder ? rmdir(file) : Glibc.unlink(file)) == 0 || errno == ENOENT else {
        throw VPatchError.system(file, "cannot be deleted")
      }
      bytes += isFolder ? 0 : Int(info.st_size)
    }
    for folder in Set(files.map(Path.parent)).sorted() { Directory.sync(folder) }
    return bytes
  }

  private func refuseIfNeeded(_ id: Int64, _ identity: ContentDigest, _ db: Database) throws {
    let stacks = try Row.fetchAll(
      db,
      sql: """
        SELECT s.name, group_concat(v.version, ', ') FROM stack_members m
        JOIN stack_versions v ON v.id = m.version JOIN stacks s ON s.id = v.stack
        WHERE m.patch = ? GROUP BY s.name ORDER BY s.name
        """, arguments: [id]
    ).map { "\(try $0.text(0)) (version \(try $0.text(1)))" }
    guard stacks.isEmpty else {
      throw VPatchError(
        .refused, "patch \(identity.short)", "is in the stack \(stacks.joined(separator: ", "))",
        remedy: "remove the stack first")
    }
    let applications = try Row.fetchAll(
      db,
      sql: """
        SELECT DISTINCT a.model FROM application_patches n JOIN applications a ON a.id = n.application
        WHERE n.patch = ? ORDER BY a.model
        """, arguments: [id]
    ).map { try $0.text(0) }
    guard applications.isEmpty else {
      throw VPatchError(
        .refused, "patch \(identity.short)", "is needed to revert \(applications.joined(separator: ", "))",
        remedy: "revert the model first; if it no longer exists, run vpatch gc --forget MODEL --yes")
    }
  }

  /// Ignores the leases of this process.
  private func refuseIfLeased(_ id: Int64, _ identity: ContentDigest, _ db: Database) throws {
    let own = owner.withLock { $0?.number } ?? 0
    guard try Row.fetchOne(db, sql: "SELECT 1 FROM leases WHERE patch = ? AND owner <> ?", arguments: [id, own]) == nil
    else {
      throw VPatchError(
        .refused, "patch \(identity.short)", "is in use by a running vpatch", remedy: "try again when that has ended")
    }
  }

  private func refuseIfNamed(_ id: Int64, _ identity: ContentDigest, _ named: [String], _ db: Database) throws {
    for (table, what) in [("aliases", "alias"), ("tags", "tag")] {
      let names = try Row.fetchAll(db, sql: "SELECT name FROM \(table) WHERE patch = ? ORDER BY name", arguments: [id])
        .map { try $0.text(0) }.filter { !named.contains($0) }
      guard names.isEmpty else {
        throw VPatchError(
          .refused, "patch \(identity.short)", "has the \(what) \(names.joined(separator: ", "))",
          remedy: "--force removes it anyway")
      }
    }
  }
}
