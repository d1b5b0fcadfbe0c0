import GRDB
import PatchFormat

extension Store {
  /// Where the file of a patch is, or would be.
  func file(of identity: Digest) -> String {
    let hex = identity.hex
    return Path.join(patchesPath, "\(hex.prefix(2))/\(hex).vpatch")
  }

  /// The file of a patch; nil where it is not in the store, or its file is gone.
  public func path(of identity: Digest) throws -> String? {
    let file = file(of: identity)
    return try contains(identity) && PathKind.of(file) == .file ? file : nil
  }

  public func contains(_ identity: Digest) throws -> Bool {
    try read { db in try Self.id(of: identity, db) != nil }
  }

  /// A patch, opened and verified as a whole.
  /// - Throws: `io` where it is not in the store or its file is gone, `invalid` where its file is damaged.
  public func patch(_ identity: Digest, threads: Int = 2) throws -> Patch {
    guard let row = try stored(identity) else {
      throw VPatchError(
        .io, "patch \(identity.short)", "is not in the store \(path)", remedy: "add its file with vpatch add")
    }
    let label = row.label ?? identity.short
    let name = "patch \(label)"
    let file = file(of: identity)
    guard try PathKind.of(file) == .file else {
      throw VPatchError(
        .io, name, "has lost its file \(file)",
        remedy: "add the file again with vpatch add; vpatch fsck checks the rest")
    }
    let patch: Patch
    do { patch = try Patch(path: file, threads: threads, label: label) } catch let error as VPatchError
      where error.code == .invalid
    {
      throw VPatchError(
        .invalid, file, error.reason, remedy: "add the file again with vpatch add; vpatch fsck checks the rest")
    }
    guard patch.identity == identity else {
      throw VPatchError(
        .invalid, file, "is another patch: \(patch.identity.short)",
        remedy: "add the right file again with vpatch add; vpatch fsck checks the rest")
    }
    return patch
  }

  /// What the catalogue says of a patch.
  public func stored(_ identity: Digest) throws -> StoredPatch? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT \(StoredPatch.columns) FROM patches p WHERE p.identity = ?", arguments: [identity.data]
      ).map(StoredPatch.init)
    }
  }

  /// What a person calls a patch.
  public func label(_ identity: Digest) throws -> String? { try stored(identity)?.label }

  static func id(of identity: Digest, _ db: Database) throws -> Int64? {
    try db.cachedStatement(sql: "SELECT id FROM patches WHERE identity = ?").fetchInteger([identity.data])
  }

  /// - Throws: `io` where it is not in the store.
  func requiredID(of identity: Digest, _ db: Database) throws -> Int64 {
    guard let id = try Self.id(of: identity, db) else {
      throw VPatchError(
        .io, "patch \(identity.short)", "is not in the store \(path)", remedy: "add its file with vpatch add")
    }
    return id
  }

  // MARK: Annotations

  /// Gives a patch other annotations: its identity stays, its file is replaced whole.
  public func annotate(_ identity: Digest, _ annotations: JSON) throws {
    try locked {
      try patch(identity).write(annotations: annotations, to: file(of: identity), replacing: true)
      try refresh(identity)
    }
  }

  /// Reads the catalogue's row from the patch's file again, after its annotations were written anew.
  public func refresh(_ identity: Digest) throws {
    let facts = PatchFacts(try patch(identity))
    try write { db in try facts.update(db) }
  }
}

extension Statement {
  /// The first column of the first row.
  func fetchInteger(_ arguments: StatementArguments) throws -> Int64? {
    try Int64.fetchOne(self, arguments: arguments)
  }
}
