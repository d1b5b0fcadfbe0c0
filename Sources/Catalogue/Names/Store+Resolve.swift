import Base
import GRDB

/// A reference to a patch.
package enum PatchName: Sendable {
  case identity(ContentDigest)
  /// By an alias, a tag or the beginning of an identity.
  case typed(String)

  var typed: String? {
    if case .typed(let text) = self { text } else { nil }
  }
}

extension Store {
  /// Minimum number of identity digits in a reference.
  static let shortestPrefix = 4

  /// Resolves a reference: an alias, a tag that only one patch has, or the beginning of an identity.
  /// - Throws: `refused` where several patches match, with all of them; `io` where none does, with similar names.
  package func resolve(_ text: String) throws -> ContentDigest { try read { db in try resolve(text, db) } }

  package func resolve(_ name: PatchName) throws -> ContentDigest { try read { db in try resolve(name, db) } }

  /// The patch with exactly this alias; nil where there is none.
  package func identity(ofAlias name: String) throws -> ContentDigest? {
    try read { db in try Self.owner(ofAlias: name, db) }
  }

  /// The same inside a transaction.
  func resolve(_ name: PatchName, _ db: Database) throws -> ContentDigest {
    switch name {
    case .identity(let identity): identity
    case .typed(let text): try resolve(text, db)
    }
  }

  private func resolve(_ text: String, _ db: Database) throws -> ContentDigest {
    if let identity = try Self.owner(ofAlias: text, db) { return identity }
    let tagged = try Row.fetchAll(
      db,
      sql: "SELECT p.identity FROM tags t JOIN patches p ON p.id = t.patch WHERE t.name = ? ORDER BY p.identity",
      arguments: [text]
    ).map { try $0.digest(0) }
    if tagged.count > 1 { throw try ambiguous(text, "is a tag of", tagged, db) }
    if let identity = tagged.first { return identity }
    if let prefix = DigestPrefix(text) {
      let found = try Row.fetchAll(
        db, sql: "SELECT identity FROM patches WHERE identity BETWEEN ? AND ? ORDER BY identity LIMIT 20",
        arguments: [prefix.first.data, prefix.last.data]
      ).map { try $0.digest(0) }
      if found.count > 1 { throw try ambiguous(text, "begins the identities of", found, db) }
      if let identity = found.first { return identity }
    }
    throw unknown(text, "is not an alias, tag or identity of a patch in the store", try Self.allNames(db))
  }

  private func ambiguous(_ text: String, _ what: String, _ found: [ContentDigest], _ db: Database) throws -> VPatchError
  {
    let names = try found.prefix(10).map { identity in
      let label = try Row.fetchOne(
        db,
        sql: """
          SELECT coalesce((SELECT min(a.name) FROM aliases a WHERE a.patch = p.id), p.name)
          FROM patches p WHERE p.identity = ?
          """, arguments: [identity.data]
      )?.optionalText(0)
      return identity.short + (label.map { " (\($0))" } ?? "")
    }
    return VPatchError(
      .refused, text, "\(what) several patches: \(names.joined(separator: ", "))" + (found.count > 10 ? ", …" : ""),
      remedy: "give an alias or more digits of the identity")
  }

  func unknown(_ text: String, _ what: String, _ names: [String]) -> VPatchError {
    let near = NearMiss.of(text, among: names)
    return VPatchError(
      .io, text, what,
      remedy: near.isEmpty ? "vpatch list shows all patches" : "did you mean \(near.joined(separator: " or "))?",
      detail: near.isEmpty ? nil : .unknownName(similar: near))
  }

  static func allNames(_ db: Database) throws -> [String] {
    try Row.fetchAll(db, sql: "SELECT name FROM aliases UNION SELECT name FROM tags UNION SELECT name FROM stacks").map
    {
      try $0.text(0)
    }
  }
}

/// The first digits of a digest.
struct DigestPrefix {
  /// The smallest and the largest digest with these digits.
  let first, last: ContentDigest

  /// Nil for anything but 4 to 64 hexadecimal digits.
  init?(_ text: String) {
    let count = text.utf8.count
    guard (Store.shortestPrefix...64).contains(count),
      let first = ContentDigest(hex: text.lowercased() + String(repeating: "0", count: 64 - count)),
      let last = ContentDigest(hex: text.lowercased() + String(repeating: "f", count: 64 - count))
    else { return nil }
    self.first = first
    self.last = last
  }
}
