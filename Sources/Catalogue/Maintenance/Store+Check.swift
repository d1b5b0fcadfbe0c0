import Base
import GRDB
import PatchFormat

/// A problem in a store.
package struct Finding: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// SQLite's own structures.
    case catalogue
    /// A patch whose file is missing.
    case missing
    /// A file that is not the patch that its name says.
    case damaged
    /// A row that differs from its file.
    case stale
    /// A patch that is not in the catalogue.
    case unknown
    /// A leftover of an interrupted process.
    case temporary
    /// A file that vpatch does not create there.
    case foreign
    /// A stack whose members or identity do not match its definition.
    case stack
  }

  package let kind: Kind
  /// A path, or the name of the subject.
  package let subject: String
  package let what: String
  /// Whether `repair` fixed it.
  package internal(set) var isRepaired = false
}

/// What was checked and found.
package struct CheckReport: Sendable, Equatable {
  /// Patches that were added, which `list` shows.
  package let patches: Int
  /// Composites of stacks, and undo patches.
  package let derived: Int
  package let bytes: Int
  package let findings: [Finding]
  package var isSound: Bool { findings.allSatisfy(\.isRepaired) }
}

extension Store {
  /// Checks everything: the catalogue, and every byte of every patch.
  /// - Parameters:
  ///   - repair: fix what can be fixed without loss: rewrite rows from their files, add unknown patches, delete
  ///     leftovers of interrupted processes.
  ///   - begin: called with the bytes of all files.
  ///   - progress: called with the number of bytes done since the last call.
  package func check(
    repair: Bool = false, threads: Int = 2, begin: (Int) -> Void = { _ in },
    progress: @Sendable (Int) -> Void = { _ in }
  ) throws -> CheckReport {
    var filter = PatchFilter()
    filter.includesDerived = true
    let rows = try patches(filter).sorted { $0.identity < $1.identity }
    // For the progress only: a damaged row may contain any number.
    let sizes = rows.map { min(max($0.fileBytes, 0), 1 << 40) }
    let bytes = sizes.reduce(0, +)
    begin(bytes)
    // The long part, while other processes may add and remove patches.
    let isSuspect = try Parallel.map(rows.count, threads: threads) { i in
      defer { progress(sizes[i]) }
      return check(rows[i]) != nil
    }
    let suspects = zip(rows, isSuspect).filter(\.1).map(\.0.identity)
    // The final check under the lock: a patch that is being added looks like an unknown one.
    func judge() throws -> [Finding] {
      if repair { try write { db in try endAbandonedLeases(db) } }
      return try read(checkCatalogue) + recheck(suspects, repair) + checkFolder(repair)
    }
    let findings = try repair ? locked(judge) : lockedToLook(judge)
    let added = rows.count { $0.kind == .patch }
    return CheckReport(patches: added, derived: rows.count - added, bytes: bytes, findings: findings)
  }

  private func recheck(_ suspects: [ContentDigest], _ repair: Bool) throws -> [Finding] {
    try suspects.compactMap { identity in
      guard let row = try stored(identity), case (var finding, let facts)? = check(row) else { return nil }
      if repair, let facts {
        try write { db in try facts.update(db) }
        finding.isRepaired = true
      }
      return finding
    }
  }

  private func checkFolder(_ repair: Bool) throws -> [Finding] {
    let folder = try PatchFolder(self)
    let known = try read { db in
      try Set(Row.fetchAll(db, sql: "SELECT identity FROM patches").map { try $0.digest(0) })
    }
    var findings: [Finding] = []
    for (identity, path) in folder.patches where !known.contains(identity) {
      findings.append(try checkUnknown(identity, path, repair))
    }
    if repair { _ = try unlink(folder.temporaries) }
    findings += folder.temporaries.map {
      Finding(kind: .temporary, subject: $0, what: "was left by an interrupted process", isRepaired: repair)
    }
    return findings
      + folder.foreign.map { Finding(kind: .foreign, subject: $0, what: "is not a file of vpatch") }
  }

  private func checkCatalogue(_ db: Database) throws -> [Finding] {
    let name = Self.cataloguePath(path)
    var findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(20)").map { try $0.text(0) }
      .filter { $0 != "ok" }.map { Finding(kind: .catalogue, subject: name, what: $0) }
    findings += try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").map {
      Finding(kind: .catalogue, subject: name, what: "has a broken reference in \(try $0.text(0))")
    }
    for stack in try Row.fetchAll(db, sql: "SELECT name FROM stacks").map({ try $0.text(0) }) {
      do {
        for version in try Self.stacks(db, "s.name = ?", [stack]) where try !membersAgree(version, db) {
          findings.append(
            Finding(kind: .stack, subject: stack, what: "has members that do not fit version \(version.version)"))
        }
      } catch let error as VPatchError {
        findings.append(Finding(kind: .stack, subject: stack, what: error.reason))
      } catch let error as DamagedRow {
        findings.append(Finding(kind: .stack, subject: stack, what: "has a catalogue with \(error.what)"))
      }
    }
    return findings
  }

  private func membersAgree(_ stack: StoredStack, _ db: Database) throws -> Bool {
    try Row.fetchAll(
      db,
      sql: """
        SELECT p.identity, m.scale FROM stack_members m JOIN patches p ON p.id = m.patch
        JOIN stack_versions v ON v.id = m.version JOIN stacks s ON s.id = v.stack
        WHERE s.name = ? AND v.version = ? ORDER BY p.identity
        """, arguments: [stack.name, stack.version]
    ).map { StackDefinition.Member(try $0.digest(0), scale: try $0.double(1)) } == stack.definition.members
  }

  /// The problem with a patch of the catalogue; with the facts from its file, where that is valid.
  private func check(_ row: StoredPatch) -> (Finding, PatchFacts?)? {
    let file = file(of: row.identity)
    guard (try? PathKind.of(file)) == .file else {
      return (Finding(kind: .missing, subject: file, what: "is missing: \(row.label ?? "a patch without a name")"), nil)
    }
    do {
      let facts = PatchFacts(try Patch(path: file, threads: 1))
      guard facts.identity == row.identity else {
        return (Finding(kind: .damaged, subject: file, what: "is another patch: \(facts.identity.short)"), nil)
      }
      guard facts.agrees(with: row) else {
        return (Finding(kind: .stale, subject: file, what: "differs from the catalogue"), facts)
      }
      return nil
    } catch {
      return (
        Finding(kind: .damaged, subject: file, what: (error as? VPatchError)?.reason ?? "cannot be read"), nil
      )
    }
  }

  private func checkUnknown(_ identity: ContentDigest, _ path: String, _ repair: Bool) throws -> Finding {
    guard let patch = try? Patch(path: path, threads: 1), patch.identity == identity else {
      return Finding(kind: .damaged, subject: path, what: "is not a valid patch, and is not in the catalogue")
    }
    if repair {
      let now = Clock.now
      let facts = PatchFacts(patch)
      try write { db in
        try facts.insert(db, kind: .patch, now: now)
        // If the catalogue was lost, only the names in the patches remain. A composite has the name of its stack.
        let isComposite = patch.annotations["made"]?["stack"] != nil
        if !isComposite, let name = facts.name, Name.isValid(name), try Self.owner(ofAlias: name, db) == nil {
          try setAlias(name, identity, db)
        }
      }
    }
    return Finding(
      kind: .unknown, subject: path, what: "is a patch that is not in the catalogue", isRepaired: repair)
  }
}
