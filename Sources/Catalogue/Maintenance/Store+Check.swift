import Base
import GRDB
import PatchFormat

/// Something that is not as it should be in a store.
package struct Finding: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// SQLite's own structures.
    case catalogue
    /// A patch whose file is gone.
    case missing
    /// A file that is not the patch that its name says.
    case damaged
    /// A row that is not what its file says.
    case stale
    /// A patch that the catalogue does not know.
    case unknown
    /// What an interrupted process left.
    case temporary
    /// A file that vpatch never puts there.
    case foreign
    /// A stack whose members or identity do not fit its definition.
    case stack
  }

  package let kind: Kind
  /// A path, or the name of what it is about.
  package let subject: String
  package let what: String
  /// Whether `repair` mended it.
  package internal(set) var isRepaired = false
}

/// What was looked at, and what was found.
package struct CheckReport: Sendable, Equatable {
  package let patches: Int
  package let bytes: Int
  package let findings: [Finding]
  package var isSound: Bool { findings.allSatisfy(\.isRepaired) }
}

extension Store {
  /// Reads everything again: the catalogue, and every byte of every patch.
  /// - Parameters:
  ///   - repair: mend what can be mended without losing anything: rows are written anew from their files, patches that
  ///     the catalogue does not know are taken in, what interrupted processes left is deleted.
  ///   - begin: is told the bytes of all files.
  ///   - progress: is told how many bytes more are done.
  package func check(
    repair: Bool = false, threads: Int = 2, begin: (Int) -> Void = { _ in },
    progress: @Sendable (Int) -> Void = { _ in }
  ) throws -> CheckReport {
    var filter = PatchFilter()
    filter.includesDerived = true
    let rows = try patches(filter).sorted { $0.identity < $1.identity }
    // For the progress alone: a damaged row may say anything.
    let sizes = rows.map { min(max($0.fileBytes, 0), 1 << 40) }
    let bytes = sizes.reduce(0, +)
    begin(bytes)
    // The long part, while others may add and remove.
    let isSuspect = try Parallel.map(rows.count, threads: threads) { i in
      defer { progress(sizes[i]) }
      return check(rows[i]) != nil
    }
    let suspects = zip(rows, isSuspect).filter(\.1).map(\.0.identity)
    // The judgement, while nobody does: a patch that is being added looks like one that nobody knows.
    func judge() throws -> [Finding] {
      if repair { try write { db in try endAbandonedLeases(db) } }
      return try read(checkCatalogue) + recheck(suspects, repair) + checkFolder(repair)
    }
    let findings = try repair ? locked(judge) : lockedToLook(judge)
    return CheckReport(patches: rows.count, bytes: bytes, findings: findings)
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
      + folder.foreign.map { Finding(kind: .foreign, subject: $0, what: "is nothing that vpatch puts there") }
  }

  private func checkCatalogue(_ db: Database) throws -> [Finding] {
    let name = Self.cataloguePath(path)
    var findings = try Row.fetchAll(db, sql: "PRAGMA integrity_check(20)").map { try $0.text(0) }
      .filter { $0 != "ok" }.map { Finding(kind: .catalogue, subject: name, what: $0) }
    findings += try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").map {
      Finding(kind: .catalogue, subject: name, what: "refers in \(try $0.text(0)) to what is not there")
    }
    for stack in try Row.fetchAll(db, sql: "SELECT name FROM stacks").map({ try $0.text(0) }) {
      do {
        for version in try Self.stacks(db, "s.name = ?", [stack]) where try !membersAgree(version, db) {
          findings.append(
            Finding(kind: .stack, subject: stack, what: "has other members in version \(version.version) than it says"))
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

  /// What is wrong with a patch that the catalogue knows; with what its file says, where that is to be believed.
  private func check(_ row: StoredPatch) -> (Finding, PatchFacts?)? {
    let file = file(of: row.identity)
    guard (try? PathKind.of(file)) == .file else {
      return (Finding(kind: .missing, subject: file, what: "is gone: \(row.label ?? "a patch without a name")"), nil)
    }
    do {
      let facts = PatchFacts(try Patch(path: file, threads: 1))
      guard facts.identity == row.identity else {
        return (Finding(kind: .damaged, subject: file, what: "is another patch: \(facts.identity.short)"), nil)
      }
      guard facts.agrees(with: row) else {
        return (Finding(kind: .stale, subject: file, what: "says something else than the catalogue"), facts)
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
      return Finding(kind: .damaged, subject: path, what: "is no whole patch, and the catalogue does not know it")
    }
    if repair {
      let now = Clock.now
      let facts = PatchFacts(patch)
      try write { db in
        try facts.insert(db, kind: .patch, now: now)
        // Where the catalogue was lost, the names that their makers gave them are what is left. A composite has that of
        // its stack.
        let isComposite = patch.annotations["made"]?["stack"] != nil
        if !isComposite, let name = facts.name, Name.isValid(name), try Self.owner(ofAlias: name, db) == nil {
          try setAlias(name, identity, db)
        }
      }
    }
    return Finding(
      kind: .unknown, subject: path, what: "is a patch that the catalogue does not know", isRepaired: repair)
  }
}
