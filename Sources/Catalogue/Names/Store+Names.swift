import GRDB
import PatchFormat

/// A name and the patch that it stands for.
public struct Alias: Sendable, Equatable {
  public let name: String
  public let identity: Digest
}

extension Store {
  // MARK: Aliases

  /// Lets a name stand for a patch.
  /// - Returns: the patch that it stood for before, where that was another.
  /// - Throws: `refused` for a name that cannot be one.
  @discardableResult
  public func alias(_ name: String, _ identity: Digest) throws -> Digest? {
    try Name.check(name, "alias")
    return try write { db in
      let owner = try Self.owner(ofAlias: name, db)
      guard owner != identity else { return nil }
      try setAlias(name, identity, db)
      return owner
    }
  }

  /// - Throws: `io` where there is no such alias.
  public func removeAlias(_ name: String) throws {
    try write { db in
      try db.execute(sql: "DELETE FROM aliases WHERE name = ?", arguments: [name])
      guard db.changesCount > 0 else { throw unknown(name, "is no alias in the store", try Self.aliasNames(db)) }
    }
  }

  /// All of them, in ascending order.
  public func aliases() throws -> [Alias] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT a.name, p.identity FROM aliases a JOIN patches p ON p.id = a.patch ORDER BY a.name"
      ).map { Alias(name: try $0.text(0), identity: try $0.digest(1)) }
    }
  }

  static func owner(ofAlias name: String, _ db: Database) throws -> Digest? {
    try Row.fetchOne(
      db.cachedStatement(
        sql: "SELECT p.identity FROM aliases a JOIN patches p ON p.id = a.patch WHERE a.name = ?"),
      arguments: [name]
    )?.digest(0)
  }

  func setAlias(_ name: String, _ identity: Digest, _ db: Database) throws {
    try db.cachedStatement(
      sql: "INSERT INTO aliases (name, patch) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET patch = excluded.patch"
    ).execute(arguments: [name, try requiredID(of: identity, db)])
  }

  static func aliasNames(_ db: Database) throws -> [String] {
    try Row.fetchAll(db, sql: "SELECT name FROM aliases").map { try $0.text(0) }
  }

  // MARK: Tags

  /// - Throws: `refused` for a name that cannot be one.
  public func tag(_ identity: Digest, _ tags: [String]) throws {
    for tag in tags { try Name.check(tag, "tag") }
    try write { db in
      let id = try requiredID(of: identity, db)
      for tag in tags {
        try db.execute(sql: "INSERT OR IGNORE INTO tags (name, patch) VALUES (?, ?)", arguments: [tag, id])
      }
    }
  }

  /// - Throws: `io` where the patch does not have one of them; then it keeps all.
  public func untag(_ identity: Digest, _ tags: [String]) throws {
    try write { db in
      let id = try requiredID(of: identity, db)
      let present = try Row.fetchAll(db, sql: "SELECT name FROM tags WHERE patch = ?", arguments: [id]).map {
        try $0.text(0)
      }
      for tag in tags {
        try db.execute(sql: "DELETE FROM tags WHERE name = ? AND patch = ?", arguments: [tag, id])
        guard db.changesCount > 0 else { throw unknown(tag, "is no tag of patch \(identity.short)", present) }
      }
    }
  }

  /// All tags with the number of patches that have them, in ascending order.
  public func tags() throws -> [(name: String, patches: Int)] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT name, count(*) FROM tags GROUP BY name ORDER BY name").map {
        (try $0.text(0), try $0.integer(1))
      }
    }
  }
}
