import Base
import GRDB

/// A name and its patch.
package struct Alias: Sendable, Equatable {
  package let name: String
  package let identity: ContentDigest
}

extension Store {
  // MARK: Aliases

  /// Assigns an alias to a patch.
  /// - Returns: the patch that had the alias before, if that was another one.
  /// - Throws: `refused` for an invalid name; `io` for a patch that is not in the store.
  @discardableResult
  package func alias(_ name: String, _ identity: ContentDigest) throws -> ContentDigest? {
    try alias(name, .identity(identity)).before
  }

  /// The same for a patch by its name.
  package func alias(_ name: String, _ patch: PatchName) throws -> (identity: ContentDigest, before: ContentDigest?) {
    try Name.check(name, "alias")
    return try write { db in
      let identity = try resolve(patch, db)
      try requireNoStack(name, db)
      let owner = try Self.owner(ofAlias: name, db)
      guard owner != identity else { return (identity, nil) }
      try setAlias(name, identity, db)
      return (identity, owner)
    }
  }

  /// - Parameter identity: of the patch that will have the name; nil if it is not known yet.
  /// - Throws: `refused` where another patch has the alias, or a stack the name.
  package func requireFree(_ name: String, for identity: ContentDigest? = nil) throws {
    try read { db in
      if let owner = try Self.owner(ofAlias: name, db), owner != identity {
        throw VPatchError(
          .refused, nil, "the name \(name.printable) is taken: the patch \(owner.short) has it",
          remedy: "--force gives it to the new patch, or choose another --name")
      }
      try requireNoStack(name, db)
    }
  }

  /// A name that both a patch and a stack have could not be looked up.
  func requireNoStack(_ name: String, _ db: Database) throws {
    guard try Self.stacks(db, "s.name = ?", [name]).isEmpty else {
      throw VPatchError(
        .refused, nil, "the name \(name.printable) is taken: a stack has it", remedy: "choose another name")
    }
  }

  /// - Throws: `io` where there is no such alias.
  package func removeAlias(_ name: String) throws {
    try writeToDelete { db in
      try db.execute(sql: "DELETE FROM aliases WHERE name = ?", arguments: [name])
      guard db.changesCount > 0 else { throw unknown(name, "is not an alias in the store", try Self.aliasNames(db)) }
    }
  }

  /// All aliases, in ascending order.
  package func aliases() throws -> [Alias] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT a.name, p.identity FROM aliases a JOIN patches p ON p.id = a.patch ORDER BY a.name"
      ).map { Alias(name: try $0.text(0), identity: try $0.digest(1)) }
    }
  }

  static func owner(ofAlias name: String, _ db: Database) throws -> ContentDigest? {
    try Row.fetchOne(
      db.cachedStatement(
        sql: "SELECT p.identity FROM aliases a JOIN patches p ON p.id = a.patch WHERE a.name = ?"),
      arguments: [name]
    )?.digest(0)
  }

  func setAlias(_ name: String, _ identity: ContentDigest, _ db: Database) throws {
    try db.cachedStatement(
      sql: "INSERT INTO aliases (name, patch) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET patch = excluded.patch"
    ).execute(arguments: [name, try requiredID(of: identity, db)])
  }

  static func aliasNames(_ db: Database) throws -> [String] {
    try Row.fetchAll(db, sql: "SELECT name FROM aliases").map { try $0.text(0) }
  }

  // MARK: Tags

  /// - Throws: `refused` for an invalid name; `io` for a patch that is not in the store.
  package func tag(_ identity: ContentDigest, _ tags: [String]) throws { _ = try tag(.identity(identity), tags) }

  /// The same for a patch by its name.
  /// - Returns: the patch, and all its tags after the change.
  package func tag(_ patch: PatchName, _ tags: [String]) throws -> (identity: ContentDigest, tags: [String]) {
    for tag in tags { try Name.check(tag, "tag") }
    return try write { db in
      let identity = try resolve(patch, db)
      let id = try requiredID(of: identity, db)
      try Self.tag(id, tags, db)
      return (identity, try Self.tags(of: id, db))
    }
  }

  static func tag(_ id: Int64, _ tags: [String], _ db: Database) throws {
    for tag in tags {
      try db.execute(sql: "INSERT OR IGNORE INTO tags (name, patch) VALUES (?, ?)", arguments: [tag, id])
    }
  }

  private static func tags(of id: Int64, _ db: Database) throws -> [String] {
    try Row.fetchAll(db, sql: "SELECT name FROM tags WHERE patch = ? ORDER BY name", arguments: [id]).map {
      try $0.text(0)
    }
  }

  /// - Throws: `io` where the patch lacks one of the tags. Then it keeps all.
  package func untag(_ identity: ContentDigest, _ tags: [String]) throws { _ = try untag(.identity(identity), tags) }

  /// The same for a patch by its name.
  /// - Returns: the patch, and all its tags after the change.
  package func untag(_ patch: PatchName, _ tags: [String]) throws -> (identity: ContentDigest, tags: [String]) {
    try writeToDelete { db in
      let identity = try resolve(patch, db)
      let id = try requiredID(of: identity, db)
      let present = try Self.tags(of: id, db)
      for tag in tags {
        try db.execute(sql: "DELETE FROM tags WHERE name = ? AND patch = ?", arguments: [tag, id])
        guard db.changesCount > 0 else { throw unknown(tag, "is not a tag of patch \(identity.short)", present) }
      }
      return (identity, try Self.tags(of: id, db))
    }
  }

  /// All tags with the number of their patches, in ascending order.
  package func tags() throws -> [(name: String, patches: Int)] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT name, count(*) FROM tags GROUP BY name ORDER BY name").map {
        (try $0.text(0), try $0.integer(1))
      }
    }
  }
}
