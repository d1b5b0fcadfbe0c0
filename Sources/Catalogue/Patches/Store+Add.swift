import Base
import GRDB
import PatchFormat

/// The result of adding a file.
package struct Addition: Sendable, Equatable {
  package enum Outcome: String, Sendable {
    case added
    /// It was already there.
    case present
    /// It was there, but its file was missing or damaged, and is restored now.
    case restored
    /// It was there without the adapter that it was made from, and has it now.
    case completed
  }

  package let path: String
  package let identity: ContentDigest
  package internal(set) var outcome: Outcome
  package let fileBytes: Int
  /// The alias that it got.
  package internal(set) var alias: String?
  /// The patch that had the alias before.
  package internal(set) var aliasWasOf: ContentDigest?
  /// Warnings.
  package internal(set) var notes: [String] = []
}

/// How patches are added to the store; recorded in the same transaction as the patches.
package struct Admission: Sendable {
  package var kind: PatchKind
  /// For one file. It is taken from another patch that has it. Without, a patch gets its own name as alias, if that is
  /// free.
  package var alias: String?
  package var tags: [String]
  /// Absolute path where the patches' base was seen.
  package var basePath: String?
  /// The stack whose composite the patch is.
  package var stack: ContentDigest?
  /// Whether this process takes leases on them.
  package var isLeased: Bool

  package init(
    kind: PatchKind = .patch, alias: String? = nil, tags: [String] = [], basePath: String? = nil,
    stack: ContentDigest? = nil, isLeased: Bool = false
  ) {
    self.kind = kind
    self.alias = alias
    self.tags = tags
    self.basePath = basePath
    self.stack = stack
    self.isLeased = isLeased
  }
}

extension Store {
  /// Number of files that are synced and then recorded together.
  private static let batch = 256

  /// Adds copies of patch files to the store. What was reported to `each` is durable.
  ///
  /// The first file that is not a patch stops it: earlier files are then in the store, later ones are not.
  /// - Parameter progress: called with the number of bytes done since the last call.
  /// - Throws: `invalid` for a file that is not a patch; `refused` for an invalid alias or tag.
  package func add(
    _ files: [String], as admission: Admission = Admission(), threads: Int = 2,
    progress: @Sendable (Int) -> Void = { _ in }, each: (Addition) -> Void = { _ in }
  ) throws {
    precondition(admission.alias == nil || files.count == 1, "one alias is for one file")
    if let alias = admission.alias { try Name.check(alias, "alias") }
    for tag in admission.tags { try Name.check(tag, "tag") }
    for start in stride(from: 0, to: files.count, by: Self.batch) {
      let paths = files[start..<min(start + Self.batch, files.count)]
      let opened = try Parallel.map(paths.count, threads: threads) { i in
        Result {
          Candidate(try Patch(path: paths[start + i], threads: files.count == 1 ? threads : 1))
        }
      }
      let good = opened.prefix { (try? $0.get()) != nil }.compactMap { try? $0.get() }
      let additions = try add(good, admission, threads, progress)
      additions.forEach(each)
      // The error of the first invalid file, if there is one.
      if good.count < opened.count { _ = try opened[good.count].get() }
    }
  }

  /// Adds a copy of one patch file to the store.
  /// - Returns: the patch's identity.
  @discardableResult
  package func add(file: String, kind: PatchKind = .patch, alias: String? = nil, threads: Int = 2) throws
    -> ContentDigest
  {
    try addReporting(file: file, as: Admission(kind: kind, alias: alias), threads: threads).identity
  }

  /// The same, with what happened.
  package func addReporting(file: String, as admission: Admission = Admission(), threads: Int = 2) throws -> Addition {
    var additions: [Addition] = []
    try add([file], as: admission, threads: threads, each: { additions.append($0) })
    return additions[0]
  }

  /// Leases open patches while this process needs them. Patches that are not in the store are added as copies.
  /// - Throws: `io` for a patch that was opened from the store and has been removed from it.
  package func keep(_ patches: [Patch], threads: Int = 2) throws {
    for patch in patches {
      do { try lease(patch.identity) } catch let error as VPatchError where error.code == .io {
        let isFromHere = patch.path == file(of: patch.identity)
        guard !isFromHere, try !contains(patch.identity) else { throw error }
        _ = try add([Candidate(patch)], Admission(isLeased: true), threads) { _ in }
      }
      // Restores a missing file.
      if try path(of: patch.identity) == nil { _ = try add([Candidate(patch)], Admission(), threads) { _ in } }
    }
  }

  /// A verified file outside the store. Does not keep the patch open: a hundred headers take much memory.
  private struct Candidate: Sendable {
    let file: InputFile
    let facts: PatchFacts
    let extras: Extras

    init(_ patch: Patch) {
      file = patch.file
      facts = PatchFacts(patch)
      extras = Extras(patch)
    }
  }

  /// What may differ between two files of the same patch, besides compression.
  private struct Extras: Sendable {
    let annotations, annex: ContentDigest
    /// Whether the file holds the adapter that it was made from.
    let hasAdapter: Bool

    init(_ patch: Patch) {
      hasAdapter = patch.annex.adapter != nil
      annotations = SHA256Hasher.hash(patch.annotations.canonical())
      annex = patch.header.annex.digest
    }

    /// Warnings for adding a file with these extras when others are stored.
    func notes(on path: String, stored: Extras) -> [String] {
      var differences: [String] = []
      if annotations != stored.annotations { differences.append("annotations (name, note, measurements)") }
      if annex != stored.annex {
        differences.append(stored.hasAdapter && !hasAdapter ? "no adapter" : "headers or side files")
      }
      guard !differences.isEmpty else { return [] }
      return [
        "\(path) has other \(differences.joined(separator: ", and other ")) than the same patch in the store, which is "
          + "unchanged; 'vpatch delete-patch' and 'vpatch add' replace it"
      ]
    }
  }

  private func add(
    _ candidates: [Candidate], _ admission: Admission, _ threads: Int, _ progress: @Sendable (Int) -> Void
  ) throws -> [Addition] {
    let owner = admission.isLeased ? try ownNumber() : nil
    return try locked { try add(candidates, admission, owner, threads, progress) }
  }

  private func add(
    _ candidates: [Candidate], _ admission: Admission, _ owner: Int64?, _ threads: Int,
    _ progress: @Sendable (Int) -> Void
  ) throws -> [Addition] {
    let kind = admission.kind
    let known = try read { db in try candidates.map { try Self.id(of: $0.facts.identity, db) != nil } }
    var seen: Set<ContentDigest> = []
    let isFirst = candidates.map { seen.insert($0.facts.identity).inserted }
    let stored = try Parallel.map(candidates.count, threads: threads) { i in
      known[i] ? extras(of: candidates[i].facts.identity) : nil
    }
    let missing = candidates.indices.filter { isFirst[$0] && stored[$0] == nil }
    try place(missing.map { candidates[$0] }, threads)
    let completed = try candidates.indices.map { i in
      isFirst[i] && candidates[i].extras.hasAdapter && stored[i]?.hasAdapter == false
        ? try complete(candidates[i].facts.identity, with: candidates[i].file.path, threads: threads) : nil
    }
    reached(.placed)
    let kept = Dictionary(
      candidates.indices.map { (candidates[$0].facts.identity, stored[$0] ?? candidates[$0].extras) },
      uniquingKeysWith: { first, _ in first })
    let now = Clock.now
    let additions = try write { db in
      try candidates.indices.map { i in
        let facts = candidates[i].facts
        var addition = Addition(
          path: candidates[i].file.path, identity: facts.identity, outcome: .present, fileBytes: facts.fileBytes)
        if !known[i], isFirst[i] {
          try facts.insert(db, kind: kind, now: now)
          addition.outcome = .added
        } else if stored[i] == nil, isFirst[i] {
          try facts.update(db)
          addition.outcome = .restored
        } else if let completed = completed[i] {
          try completed.facts.update(db)
          addition.outcome = .completed
          addition.notes += completed.voided.map {
            "dropped the signature by \($0.key.short): it covered the file without the adapter; sign the patch again"
          }
        } else {
          addition.notes += candidates[i].extras.notes(on: addition.path, stored: kept[facts.identity]!)
        }
        if kind == .patch { try promote(facts.identity, db) }
        let alias = admission.alias
        try name(&addition, alias ?? (kind == .patch ? facts.name : nil), isAsked: alias != nil, db)
        let id = try requiredID(of: facts.identity, db)
        try Self.tag(id, admission.tags, db)
        if let path = admission.basePath { try Self.saw(facts.base, path, now, db) }
        if let stack = admission.stack { try Self.setComposite(stack, id, db) }
        if let owner { try Self.lease(id, owner, db) }
        return addition
      }
    }
    for candidate in candidates { progress(candidate.facts.fileBytes) }
    return additions
  }

  /// Those of the stored file; nil where it is missing, damaged, or another patch.
  private func extras(of identity: ContentDigest) -> Extras? {
    guard let patch = try? Patch(path: file(of: identity), threads: 1), patch.identity == identity else { return nil }
    return Extras(patch)
  }

  /// An added patch counts as the user's, even if a composite with its identity was stored before.
  private func promote(_ identity: ContentDigest, _ db: Database) throws {
    try db.cachedStatement(sql: "UPDATE patches SET kind = 'patch' WHERE identity = ? AND kind <> 'patch'")
      .execute(arguments: [identity.data])
  }

  /// Copies the files to their places, durably, and checks that the copies are what was verified.
  private func place(_ candidates: [Candidate], _ threads: Int) throws {
    try Directory.make(Set(candidates.map { Path.parent(file(of: $0.facts.identity)) }).sorted())
    let copies = try Parallel.map(candidates.count, threads: threads) { i in
      let copy = try OutputFile(path: file(of: candidates[i].facts.identity), replacing: true)
      let source = candidates[i].file
      try copy.reserve(source.size)
      try copy.copy(from: source, 0..<source.size, at: 0)
      copy.beginWriteback(0..<source.size)
      return copy
    }
    try OutputFile.commit(copies, threads: threads)
    try Parallel.forEach(candidates.count, threads: threads) { i in
      guard extras(of: candidates[i].facts.identity) != nil else {
        throw VPatchError(
          .invalid, candidates[i].file.path, "was changed while it was read", remedy: "run the command again")
      }
    }
  }

  private func name(_ addition: inout Addition, _ name: String?, isAsked: Bool, _ db: Database) throws {
    guard let name, isAsked || Name.isValid(name) else {
      if let name { addition.notes.append("the name \"\(name)\" cannot be an alias: \(Name.rule)") }
      return
    }
    if isAsked {
      try requireNoStack(name, db)
    } else if try !Self.stacks(db, "s.name = ?", [name]).isEmpty {
      addition.notes.append("the name \(name) is not an alias: a stack has it")
      return
    }
    let owner = try Self.owner(ofAlias: name, db)
    if let owner, owner != addition.identity, !isAsked {
      addition.notes.append(
        "the alias \(name) stays with \(owner.short); vpatch alias \(name) \(addition.identity.short) moves it"
      )
      return
    }
    addition.alias = name
    guard owner != addition.identity else { return }
    addition.aliasWasOf = owner
    try setAlias(name, addition.identity, db)
  }
}
