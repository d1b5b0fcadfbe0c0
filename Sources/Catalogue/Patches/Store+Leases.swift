import Base
import GRDB

/// A running command has leases on the patches that it needs: `rm` and `gc` do not remove a leased patch. A lease is
/// taken in the transaction that finds or adds the patch. It ends with the `Store` or the process, which holds the
/// owner's number until then.
extension Store {
  private static func leasesPath(_ store: String) -> String { Path.join(store, leasesName) }

  /// This process's number, held from now on.
  func ownNumber() throws -> Int64 {
    if let obstacle { throw obstacle }
    return try owner.withLock { owner in
      if owner == nil { owner = try HeldNumber(in: Self.leasesPath(path)) }
      return owner!.number
    }
  }

  /// Leases a patch.
  /// - Throws: `io` where it is not in the store.
  package func lease(_ identity: ContentDigest) throws {
    let owner = try ownNumber()
    try writeUnsynced { db in try Self.lease(requiredID(of: identity, db), owner, db) }
    reached(.leased)
  }

  /// Leases the composite of a stack; nil where there is none.
  package func leaseComposite(stackIdentity: ContentDigest) throws -> ContentDigest? {
    let owner = try ownNumber()
    let identity: ContentDigest? = try writeUnsynced { db in
      guard let identity = try Self.composite(stackIdentity: stackIdentity, db) else { return nil }
      try Self.lease(requiredID(of: identity, db), owner, db)
      return identity
    }
    reached(.leased)
    return identity
  }

  static func lease(_ id: Int64, _ owner: Int64, _ db: Database) throws {
    try db.execute(sql: "INSERT OR IGNORE INTO leases (owner, patch) VALUES (?, ?)", arguments: [owner, id])
  }

  /// Releases all leases of this process.
  package func release() {
    owner.withLock { owner in
      guard let held = owner else { return }
      // If that cannot be written, the leases end with the number.
      try? writeUnsynced { db in try db.execute(sql: "DELETE FROM leases WHERE owner = ?", arguments: [held.number]) }
      owner = nil
    }
  }

  /// The owners whose processes are running.
  static func livingOwners(_ db: Database, _ store: String) throws -> Set<Int64> {
    let owners = try Row.fetchAll(db, sql: "SELECT DISTINCT owner FROM leases").map { Int64(try $0.integer(0)) }
    return HeldNumber.held(of: owners, in: leasesPath(store))
  }

  /// Whether the process that has this number is running.
  func isLiving(_ owner: Int64) -> Bool { !HeldNumber.held(of: [owner], in: Self.leasesPath(path)).isEmpty }

  /// Deletes the leases of processes that have ended.
  func endAbandonedLeases(_ db: Database) throws {
    let living = try Self.livingOwners(db, path).sorted()
    try db.execute(
      sql: "DELETE FROM leases WHERE owner NOT IN (\(living.map(String.init).joined(separator: ", ")))")
  }
}
