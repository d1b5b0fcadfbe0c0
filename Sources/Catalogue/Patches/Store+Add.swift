import Base
import GRDB
import PatchFormat

/// What became of a file that was added.
package struct Addition: Sendable, Equatable {
  package enum Outcome: String, Sendable {
    case added
    /// It was there already.
    case present
    /// It was there, but its file was gone or damaged, and is whole again.
    case restored
  }

  package let path: String
  package let identity: ContentDigest
  package internal(set) var outcome: Outcome
  package let fileBytes: Int
  /// The alias that it has now because of this.
  package internal(set) var alias: String?
  /// The patch that had the alias before.
  package internal(set) var aliasWasOf: ContentDigest?
  /// What a person should know.
  package internal(set) var notes: [String] = []
}

/// What becomes of patches that come into the store, known in the same moment as they are.
package struct Admission: Sendable {
  package var kind: PatchKind
  /// For one file; it moves if another patch has it. Without, a patch is called what its maker named it, where nothing
  /// else is called so.
  package var alias: String?
  package var tags: [String]
  /// Where the patches' base was seen, an absolute path.
  package var basePath: String?
  /// The stack that the patch is the composite of.
  package var stack: ContentDigest?
  /// Whether this process needs them for longer than to bring them.
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
  /// Files at a time: as many as are durable, and then known, together.
  private static let batch = 256

  /// Takes copies of patch files into the store. What was reported to `each` is durable.
  ///
  /// The first file that is not a patch ends it: those before it are in the store then, those behind it are not.
  /// - Parameter progress: is told how many bytes more are done.
  /// - Throws: `invalid` for a file that is no patch, `refused` for an alias or a tag that cannot be one.
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
      // The first that was none, if there is one.
      if good.count < opened.count { _ = try opened[good.count].get() }
    }
  }

  /// Takes a copy of one patch file into the store.
  /// - Returns: the patch's identity.
  @discardableResult
  package func add(file: String, kind: PatchKind = .patch, alias: String? = nil, threads: Int = 2) throws -> ContentDigest {
    try addReporting(file: file, as: Admission(kind: kind, alias: alias), threads: threads).identity
  }

  /// The same, with what became of it.
  package func addReporting(file: String, as admission: Admission = Admission(), threads: Int = 2) throws -> Addition {
    var additions: [Addition] = []
    try add([file], as: admission, threads: threads, each: { additions.append($0) })
    return additions[0]
  }

  /// Keeps patches that are open for as long as this process needs them: those that are in the store, and copies of the
  /// others, which come in as somebody's.
  /// - Throws: `io` for one that was opened from the store, and was taken out of it meanwhile.
  package func keep(_ patches: [Patch], threads: Int = 2) throws {
    for patch in patches {
      do { try lease(patch.identity) } catch let error as VPatchError where error.code == .io {
        let isFromHere = patch.path == file(of: patch.identity)
        guard !isFromHere, try !contains(patch.identity) else { throw error }
        _ = try add([Candidate(patch)], Admission(isLeased: true), threads) { _ in }
      }
      // A file that was lost is made again.
      if try path(of: patch.identity) == nil { _ = try add([Candidate(patch)], Admission(), threads) { _ in } }
    }
  }

  /// A file outside the store, verified. The patch itself is let go of: a hundred headers take room.
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

  /// What may differ between two files of one patch, and is more than packing.
  private struct Extras: Sendable {
    let annotations, annex: ContentDigest

    init(_ patch: Patch) {
      annotations = SHA256Hasher.hash(patch.annotations.canonical())
      annex = patch.header.annex.digest
    }

    /// What a person should know who adds a file with these where others are stored.
    func notes(on path: String, stored: Extras) -> [String] {
      var differences: [String] = []
      if annotations != stored.annotations { differences.append("annotations (name, note, measurements)") }
      if annex != stored.annex { differences.append("headers or side files") }
      guard !differences.isEmpty else { return [] }
      return [
        "\(path) has other \(differences.joined(separator: ", and other ")) than the same patch in the store, which "
          + "stays as it is; vpatch rm and add replace it"
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

  /// Of the stored file; nil where it is gone, damaged, or another patch.
  private func extras(of identity: ContentDigest) -> Extras? {
    guard let patch = try? Patch(path: file(of: identity), threads: 1), patch.identity == identity else { return nil }
    return Extras(patch)
  }

  /// What somebody adds is somebody's, also where a composite had come to the same before.
  private func promote(_ identity: ContentDigest, _ db: Database) throws {
    try db.cachedStatement(sql: "UPDATE patches SET kind = 'patch' WHERE identity = ? AND kind <> 'patch'")
      .execute(arguments: [identity.data])
  }

  /// Copies the files to their places, durably, and looks whether what lies there now is what was verified.
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
    let owner = try Self.owner(ofAlias: name, db)
    if let owner, owner != addition.identity, !isAsked {
      addition.notes.append(
        "the alias \(name) is of \(owner.short) and stays there; vpatch alias \(name) \(addition.identity.short) moves it"
      )
      return
    }
    addition.alias = name
    guard owner != addition.identity else { return }
    addition.aliasWasOf = owner
    try setAlias(name, addition.identity, db)
  }
}
