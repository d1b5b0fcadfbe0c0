import Base
import GRDB

extension Store {
  /// The path of a patch's file, whether or not it exists.
  func file(of identity: ContentDigest) -> String {
    let hex = identity.hex
    return Path.join(patchesPath, "\(hex.prefix(2))/\(hex).vpatch")
  }

  static func id(of identity: ContentDigest, _ db: Database) throws -> Int64? {
    try db.cachedStatement(sql: "SELECT id FROM patches WHERE identity = ?").fetchInteger([identity.data])
  }

  /// - Throws: `io` where it is not in the store.
  func requiredID(of identity: ContentDigest, _ db: Database) throws -> Int64 {
    guard let id = try Self.id(of: identity, db) else { throw isUnknown(identity) }
    return id
  }

  func isUnknown(_ identity: ContentDigest) -> VPatchError {
    VPatchError(.io, "patch \(identity.short)", "is not in the store \(path)", remedy: "add its file with vpatch add")
  }

  static func setComposite(_ stack: ContentDigest, _ patch: Int64, _ db: Database) throws {
    try db.execute(
      sql:
        "INSERT INTO composites (stack, patch) VALUES (?, ?) ON CONFLICT (stack) DO UPDATE SET patch = excluded.patch",
      arguments: [stack.data, patch])
  }
}

extension Statement {
  /// The first column of the first row.
  func fetchInteger(_ arguments: StatementArguments) throws -> Int64? {
    try Int64.fetchOne(self, arguments: arguments)
  }
}
