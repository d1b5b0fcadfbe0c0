import Base
import GRDB
import PatchFormat

/// One version of a named stack.
package struct StoredStack: Sendable, Equatable {
  package let name: String
  /// From 1 on.
  package let version: Int
  package let definition: StackDefinition
  /// Its composite, if one is kept.
  package let composite: ContentDigest?
  /// Seconds since 1970.
  package let created: Int
}

extension Store {
  /// Saves a stack as the next version of its name. The same definition as the last version's is no new version.
  /// - Returns: the version with this definition.
  /// - Throws: `refused` for an invalid name; `io` for a member that is not in the store; `wrongBase` for a member with
  ///   another base than the stack.
  package func saveStack(name: String, definition: StackDefinition) throws -> Int {
    try Name.check(name, "stack")
    return try write { db in try save(name, definition, db) }
  }

  /// The same for a new name.
  /// - Throws: `refused` where a stack has the name; otherwise like `saveStack`.
  package func createStack(name: String, definition: StackDefinition) throws -> StoredStack {
    try Name.check(name, "stack")
    return try write { db in
      guard try Self.stacks(db, "s.name = ?", [name]).isEmpty else { throw Self.stackExists(name) }
      _ = try save(name, definition, db)
      return try latestStack(name, db)
    }
  }

  /// The error for a name that a stack already has.
  package static func stackExists(_ name: String) -> VPatchError {
    VPatchError(
      .refused, "the stack \"\(name.printable)\"", "already exists",
      remedy: "'vpatch stack add' and 'vpatch stack remove-member' change it, 'vpatch stack delete-stack' deletes it")
  }

  /// Changes a stack without losing concurrent changes.
  /// - Parameter change: gets the last version and returns the next one. It is called again if another process changes
  ///   the stack meanwhile. It may read the store.
  /// - Throws: `io` where there is no such stack; what `change` throws; otherwise like `saveStack`.
  package func editStack(
    _ name: String, _ change: (StackDefinition) throws -> StackDefinition
  ) throws -> StoredStack {
    while true {
      let before = try stack(name)
      let after = try change(before.definition)
      reached(.stackRead)
      let saved: StoredStack? = try write { db in
        let now = try latestStack(name, db)
        guard now.version == before.version, now.definition == before.definition else { return nil }
        _ = try save(name, after, db)
        return try latestStack(name, db)
      }
      // Of several concurrent changes one succeeds, so this loop ends.
      if let saved { return saved }
    }
  }

  private func save(_ name: String, _ definition: StackDefinition, _ db: Database) throws -> Int {
    let now = Clock.now
    if let latest = try Self.stacks(db, "s.name = ?", [name]).last, latest.definition == definition {
      return latest.version
    }
    if try Self.stacks(db, "s.name = ?", [name]).isEmpty, let owner = try Self.owner(ofAlias: name, db) {
      throw VPatchError(
        .refused, nil, "the name \(name.printable) is taken: the patch \(owner.short) has it",
        remedy: "choose another name for the stack")
    }
    try db.execute(sql: "INSERT OR IGNORE INTO stacks (name) VALUES (?)", arguments: [name])
    try db.execute(
      sql: "INSERT OR IGNORE INTO bases (root, seen) VALUES (?, ?)", arguments: [definition.base.data, now])
    try db.execute(
      sql: """
        INSERT INTO stack_versions (stack, version, base, identity, definition, created)
        SELECT s.id, 1 + coalesce((SELECT max(version) FROM stack_versions WHERE stack = s.id), 0), ?, ?, ?, ?
        FROM stacks s WHERE s.name = ?
        """,
      arguments: [
        definition.base.data, definition.identity.data, definition.json().compact(), now, name,
      ])
    let id = db.lastInsertedRowID
    for member in definition.members {
      try requireBase(of: member.identity, definition.base, db)
      try db.execute(
        sql: "INSERT INTO stack_members (version, patch, scale) VALUES (?, ?, ?)",
        arguments: [id, try requiredID(of: member.identity, db), member.scale])
    }
    return try Int.fetchOne(db, sql: "SELECT version FROM stack_versions WHERE id = ?", arguments: [id]) ?? 0
  }

  private func requireBase(of member: ContentDigest, _ base: ContentDigest, _ db: Database) throws {
    guard
      let own = try Row.fetchOne(db, sql: "SELECT base FROM patches WHERE identity = ?", arguments: [member.data])?
        .digest(0), own != base
    else { return }
    throw VPatchError(
      .wrongBase, "patch \(member.short)", "was made from \(own.short), but the stack's base is \(base.short)",
      remedy: "all patches of a stack have one base; vpatch rebase moves a patch to another")
  }

  /// The last version of a stack; nil where there is none of that name.
  package func stackIfAny(_ name: String) throws -> StoredStack? { try versions(ofStack: name).last }

  /// - Parameter version: nil for the last one.
  /// - Throws: `io` where there is no such stack or version, with similar names.
  package func stack(_ name: String, version: Int? = nil) throws -> StoredStack {
    try read { db in
      guard let version else { return try latestStack(name, db) }
      let versions = try Self.stacks(db, "s.name = ?", [name])
      guard let found = versions.first(where: { $0.version == version }) else {
        let last = try latestStack(name, db)
        throw VPatchError(.io, name, "has no version \(version)", remedy: "its last one is \(last.version)")
      }
      return found
    }
  }

  private func latestStack(_ name: String, _ db: Database) throws -> StoredStack {
    if let last = try Self.stacks(db, "s.name = ?", [name]).last { return last }
    let names = try Row.fetchAll(db, sql: "SELECT name FROM stacks").map { try $0.text(0) }
    let near = NearMiss.of(name, among: names)
    throw VPatchError(
      .io, name, "is not a stack in the store",
      remedy: near.isEmpty
        ? "vpatch stack list shows all stacks" : "did you mean \(near.joined(separator: " or "))?",
      detail: near.isEmpty ? nil : .unknownName(similar: near))
  }

  /// The last version of each stack, in ascending order of name.
  package func stacks() throws -> [StoredStack] {
    try read { db in
      try Self.stacks(
        db, "v.version = (SELECT max(w.version) FROM stack_versions w WHERE w.stack = v.stack)", [])
    }
  }

  /// All versions of a stack, in order.
  package func versions(ofStack name: String) throws -> [StoredStack] {
    try read { db in try Self.stacks(db, "s.name = ?", [name]) }
  }

  /// Removes all versions of a stack. Its members are kept.
  /// - Throws: `io` where there is none of that name.
  package func removeStack(_ name: String) throws {
    try writeToDelete { db in
      _ = try latestStack(name, db)
      try db.execute(sql: "DELETE FROM stacks WHERE name = ?", arguments: [name])
    }
  }

  static func stacks(_ db: Database, _ condition: String, _ arguments: StatementArguments) throws -> [StoredStack] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT s.name, v.version, v.definition, v.created, v.identity,
          (SELECT p.identity FROM composites c JOIN patches p ON p.id = c.patch WHERE c.stack = v.identity)
        FROM stack_versions v JOIN stacks s ON s.id = v.stack WHERE \(condition) ORDER BY s.name, v.version
        """, arguments: arguments
    ).map { row in
      let name = try row.text(0)
      let definition = try StackDefinition(json: row.json(2), subject: "stack \(name)")
      guard try row.digest(4) == definition.identity else {
        throw DamagedRow(what: "the stack \(name), which does not match its identity")
      }
      return StoredStack(
        name: name, version: try row.integer(1), definition: definition,
        composite: row.hasNull(atIndex: 5) ? nil : try row.digest(5), created: try row.integer(3))
    }
  }

  // MARK: Composites

  /// Records the composite of a stack.
  package func setComposite(stackIdentity: ContentDigest, patch: ContentDigest) throws {
    try write { db in try Self.setComposite(stackIdentity, requiredID(of: patch, db), db) }
  }

  /// The composite of a stack; nil where none is kept.
  package func composite(stackIdentity: ContentDigest) throws -> ContentDigest? {
    try read { db in try Self.composite(stackIdentity: stackIdentity, db) }
  }

  static func composite(stackIdentity: ContentDigest, _ db: Database) throws -> ContentDigest? {
    try Row.fetchOne(
      db, sql: "SELECT p.identity FROM composites c JOIN patches p ON p.id = c.patch WHERE c.stack = ?",
      arguments: [stackIdentity.data]
    )?.digest(0)
  }

  // MARK: Records

  /// Keeps a forgetting record of a stack.
  package func addRecord(stackIdentity: ContentDigest, _ record: JSON) throws {
    try write { db in
      try db.execute(
        sql: "INSERT INTO records (stack, record) VALUES (?, ?)", arguments: [stackIdentity.data, record.compact()])
    }
  }

  /// The forgetting records of a stack, oldest first.
  package func records(stackIdentity: ContentDigest) throws -> [JSON] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT record FROM records WHERE stack = ? ORDER BY id", arguments: [stackIdentity.data]
      ).map { try $0.json(0) }
    }
  }
}
