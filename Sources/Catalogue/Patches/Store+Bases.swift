import Base
import GRDB

/// A checkpoint that is the base of patches.
package struct Base: Sendable, Equatable {
  package let root: ContentDigest
  /// Nil where only the root is known.
  package let tensors, bytes: Int?
  /// The model's layout, as far as tensor names reveal it.
  package let layout: String?
  /// Absolute paths where it was seen, latest first.
  package let paths: [String]
}

extension Store {
  /// Resolves a reference to a checkpoint's root: the beginning of the root, a path where it was seen, or a patch,
  /// which stands for its target.
  /// - Throws: like `resolve`.
  package func resolveBase(_ text: String, absolutePath: String? = nil) throws -> ContentDigest {
    let root: ContentDigest? = try read { db in
      if let prefix = DigestPrefix(text) {
        let found = try Row.fetchAll(
          db,
          sql: """
            SELECT root FROM bases WHERE root BETWEEN ?1 AND ?2
            UNION SELECT target FROM patches WHERE target BETWEEN ?1 AND ?2 ORDER BY 1 LIMIT 20
            """, arguments: [prefix.first.data, prefix.last.data]
        ).map { try $0.digest(0) }
        if found.count > 1 {
          throw VPatchError(
            .refused, text, "begins the roots of \(found.map(\.short).joined(separator: ", "))",
            remedy: "give more digits")
        }
        if let root = found.first { return root }
      }
      guard let absolutePath else { return nil }
      return try Row.fetchOne(
        db, sql: "SELECT base FROM sightings WHERE path = ? ORDER BY seen DESC, base LIMIT 1", arguments: [absolutePath]
      )?.digest(0)
    }
    if let root { return root }
    guard let stored = try stored(try resolve(text)) else { throw unknown(text, "is not a base in the store", []) }
    return stored.target
  }

  /// Records a checkpoint and its path.
  /// - Parameter path: absolute; nil where only the root is known.
  package func sawBase(
    root: ContentDigest, path: String?, tensors: Int? = nil, bytes: Int? = nil, layout: String? = nil
  ) throws {
    let now = Clock.now
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO bases (root, tensors, bytes, layout, seen) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (root) DO UPDATE SET tensors = coalesce(tensors, excluded.tensors),
            bytes = coalesce(bytes, excluded.bytes), layout = coalesce(layout, excluded.layout)
          """, arguments: [root.data, tensors, bytes, layout, now])
      if let path { try Self.saw(root, path, now, db) }
    }
  }

  /// - Parameter path: absolute.
  static func saw(_ root: ContentDigest, _ path: String, _ now: Int, _ db: Database) throws {
    try db.execute(
      sql: """
        INSERT INTO sightings (base, path, seen) VALUES (?, ?, ?)
        ON CONFLICT (base, path) DO UPDATE SET seen = excluded.seen
        """, arguments: [root.data, path, now])
  }

  /// The paths where a checkpoint was seen, latest first.
  package func sightings(_ root: ContentDigest) throws -> [String] {
    try read { db in try Self.sightings(root, db) }
  }

  static func sightings(_ root: ContentDigest, _ db: Database) throws -> [String] {
    try Row.fetchAll(
      db, sql: "SELECT path FROM sightings WHERE base = ? ORDER BY seen DESC, path", arguments: [root.data]
    ).map { try $0.text(0) }
  }

  /// All bases, in the order in which they were first seen.
  package func bases() throws -> [Base] {
    try read { db in
      let paths = try Row.fetchAll(db, sql: "SELECT base, path FROM sightings ORDER BY seen DESC, path").reduce(
        into: [ContentDigest: [String]]()
      ) { $0[try $1.digest(0), default: []].append(try $1.text(1)) }
      return try Row.fetchAll(db, sql: "SELECT root, tensors, bytes, layout FROM bases ORDER BY seen, root").map {
        row in
        let root = try row.digest(0)
        return Base(
          root: root, tensors: try row.optionalInteger(1), bytes: try row.optionalInteger(2),
          layout: try row.optionalText(3), paths: paths[root] ?? [])
      }
    }
  }
}
