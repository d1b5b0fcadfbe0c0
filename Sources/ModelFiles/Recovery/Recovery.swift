import Base
import Checkpoints
import Glibc

/// Brings a model to its old or its new state after an interrupted change.
package enum Recovery {
  package enum Outcome: String, Sendable {
    /// No change was interrupted.
    case nothing
    /// Interrupted before the commit: the model is unchanged, and leftovers were removed.
    case old
    /// Interrupted after the commit: the model is the new one.
    case new
    /// The journal cannot be replayed on the current files: its files were renamed, and the model is what its files
    /// are.
    case setAside = "set-aside"
  }

  package struct Result: Sendable {
    package var outcome: Outcome
    /// Renamed obstacles: the old and the new names.
    package var setAside: [(name: String, now: String)] = []
    /// Names whose new files were missing, so that they have no file now.
    package var lost: [String] = []
  }

  /// - Parameters:
  ///   - modelPath: the model's file or folder, as given to the change.
  ///   - setAside: rename what blocks the change, and continue. Deletes nothing.
  /// - Throws: `refused` where the model is being changed, something blocks the change, or the journal belongs to
  ///   another model; `invalid` for a damaged journal. In these cases nothing was changed.
  package static func recover(_ modelPath: String, setAside: Bool = false, _ work: WorkOptions) throws -> Result {
    let place = try place(modelPath)
    var result = Result(outcome: .nothing)
    if try isThere(place.journalPath) {
      try finish(place, setAside, work, &result)
    } else if try PathKind.of(modelPath) == .missing {
      throw VPatchError(.io, modelPath, "does not exist", remedy: "give the model's file or folder")
    }
    let removed = try TemporaryFiles.removeAbandoned(in: place.folder, of: names(place))
    if result.outcome == .nothing, removed > 0 { result.outcome = .old }
    return result
  }

  /// Prepares an output path for a command that writes a new model. If the same command was interrupted while renaming
  /// its files, that is undone, and its temporary files are removed.
  /// - Throws: `refused` where another process writes there, or a change of a model is unfinished.
  package static func clear(output path: String) throws {
    guard !path.isEmpty, !path.hasSuffix("/"), try PathKind.of(Path.parent(path)) == .directory,
      [.missing, .file].contains(try PathKind.of(path, followingLinks: false))
    else { return }  // Not a writable path. A later check reports that.
    let place = ModelPlace(file: path)
    if let lock = try journal(place) {
      guard try lock.lock(), try lock.isStillThere() else { return try SafetensorsCheckpoint.refuseUnfinished(path) }
      let (journal, _) = try Journal.read(InputFile(path: place.journalPath))
      guard journal.onlyAdds else {
        throw VPatchError(
          .refused, path, "has an unfinished switch", remedy: "run 'vpatch recover \(path)'", detail: .needsRecovery)
      }
      try journal.takeBack(in: place)
      withExtendedLifetime(lock) {}
    }
    _ = try TemporaryFiles.removeAbandoned(in: place.folder, of: names(place))
  }

  /// If a file is to be replaced, there may be something else of that name, even a folder.
  private static func place(_ path: String) throws -> ModelPlace {
    let place = try ModelPlace(path)
    guard place.isDirectory, try !isThere(place.journalPath) else { return place }
    let file = ModelPlace(file: Path.join(Path.parent(path), Path.name(path)))
    return try isThere(file.journalPath) ? file : place
  }

  /// Nil where the journal disappeared meanwhile: another process has finished.
  private static func journal(_ place: ModelPlace) throws -> InPlaceFile? {
    do { return try isThere(place.journalPath) ? InPlaceFile(path: place.journalPath) : nil } catch {
      guard try isThere(place.journalPath) else { return nil }
      throw error
    }
  }

  fileprivate static func isThere(_ path: String) throws -> Bool {
    try PathKind.of(path, followingLinks: false) != .missing
  }

  private static func names(_ place: ModelPlace) -> [String]? { place.ownNames([Path.name(place.provenancePath)]) }

  // MARK: Finishing

  private static func finish(
    _ place: ModelPlace, _ setAside: Bool, _ work: WorkOptions, _ result: inout Result
  ) throws {
    guard try PathKind.of(place.journalPath, followingLinks: false) == .file else {
      let error = VPatchError(.invalid, place.journalPath, "is not a journal", remedy: Journal.unusable)
      return try abandon(place, setAside, because: error, &result)
    }
    guard let lock = try journal(place), try lock.lock(), try lock.isStillThere() else {
      throw VPatchError(
        .refused, place.path, "is being switched by another process", remedy: "try again when that is done")
    }
    let payload = try InputFile(path: place.journalPath)
    let prepared: Prepared
    do { prepared = try Prepared(payload, place, setAside, work) } catch let impossible as Impossible {
      return try abandon(place, setAside, because: impossible.error, &result)
    }
    for name in prepared.obstacles {
      result.setAside.append((name, try place.whileDecided { try Directory.setAside(name, in: place.folder) }))
    }
    result.lost = prepared.lost.sorted()
    try place.whileDecided {
      try prepared.journal.replay(
        payload, from: prepared.start, onto: prepared.files, place, without: prepared.lost, work)
    }
    result.outcome = .new
    withExtendedLifetime(lock) {}
  }

  /// Renames the journal and its finished files, if that was requested.
  private static func abandon(
    _ place: ModelPlace, _ setAside: Bool, because error: VPatchError, _ result: inout Result
  ) throws {
    guard setAside else { throw error }
    result.setAside += try TemporaryFiles.setAsideAbandoned(in: place.folder, of: names(place))
    let name = Path.name(place.journalPath)
    result.setAside.append((name, try Directory.setAside(name, in: place.folder)))
    Directory.sync(place.folder)
    result.outcome = .setAside
  }

  /// The journal cannot be replayed, even if obstacles are removed.
  private struct Impossible: Error { let error: VPatchError }

  /// A journal that can be replayed. Nothing was changed yet.
  private struct Prepared {
    let journal: Journal
    let start: Int
    /// The journal's files, open and locked.
    let files: [InPlaceFile]
    /// What must be renamed first.
    var obstacles: [String] = []
    /// New names that remain without a file.
    var lost: Set<String> = []

    init(_ payload: InputFile, _ place: ModelPlace, _ setAside: Bool, _ work: WorkOptions) throws {
      do {
        (journal, start) = try Journal.read(payload)
        try journal.checkPayload(payload, from: start, work)
      } catch let error as VPatchError where error.code == .invalid { throw Impossible(error: error) }
      for file in journal.files {
        guard
          try LastingIdentity.of(Path.join(place.folder, file.name), followingLinks: true) == file.identity
        else { throw Impossible(error: place.isForeign(file.name)) }
      }
      for rename in journal.renames {
        switch try journal.state(of: rename, in: place.folder) {
        case .ready, .twice, .done: continue
        case .obstructed:
          guard setAside else { throw place.isObstructed(rename.to) }
        case .lost:
          // Without a shard, the model would be invalid.
          guard !place.isWeights(rename.to) else { throw Impossible(error: place.isForeign(rename.to)) }
          guard setAside else { throw place.hasLost(rename.to) }
          lost.insert(rename.to)
        }
        if try Recovery.isThere(Path.join(place.folder, rename.to)) { obstacles.append(rename.to) }
      }
      for removal in journal.removals where try journal.state(of: removal, in: place.folder) == .obstructed {
        guard setAside else { throw place.isObstructed(removal.name) }
        obstacles.append(removal.name)
      }
      files = try journal.files.map { file in
        let opened = try InPlaceFile(path: Path.join(place.folder, file.name))
        try opened.hold(.writing, model: place.path, remedy: "try again when that is done")
        return opened
      }
      do { try journal.checkRegions(in: place) } catch let error as VPatchError where error.code == .invalid {
        throw Impossible(error: error)
      }
    }
  }
}

extension ModelPlace {
  /// Whether a file holds tensors of the model, or is its index.
  fileprivate func isWeights(_ name: String) -> Bool {
    name.isSame(as: SafetensorsCheckpoint.indexName) || SafetensorsCheckpoint.isSafetensorsName(name)
      || (!isDirectory && name.isSame(as: Path.name(path)))
  }

  /// The error for a model file that is not the one that the journal was written for.
  fileprivate func isForeign(_ name: String) -> VPatchError {
    VPatchError(
      .refused, journalPath,
      "was written for another \"\(name.printable)\" than the present file: was that copied, restored or edited?",
      remedy: "nothing was changed: put that file back and run this again; or put a whole model there, then "
        + "'vpatch recover \(path) --set-aside', which renames the journal and deletes nothing")
  }
}

extension Journal {
  fileprivate func checkPayload(_ payload: InputFile, from start: Int, _ work: WorkOptions) throws {
    let offsets = payloadOffsets(from: start)
    let sizes = regions.map(\.range.count)
    work.progress.begin("verifying journal", total: sizes.reduce(0, +))
    _ = try LargestFirst.map(sizes, threads: work.threads) { i in
      guard try regions[i].tensor.matches({ try payload.read(into: $0, at: offsets[i] + $1) }) else {
        throw VPatchError(
          .invalid, payload.path, "is damaged in the tensor \"\(regions[i].tensor.info.name.printable)\"",
          remedy: Journal.unusable)
      }
      work.progress.advance(sizes[i])
    }
  }

  /// Checks that each region is exactly that tensor of that file, outside the header.
  fileprivate func checkRegions(in place: ModelPlace) throws {
    for (i, file) in files.enumerated() {
      let input = try InputFile(path: Path.join(place.folder, file.name))
      let header = try SafetensorsHeader(of: input)
      let places = Dictionary(header.tensors.map { ($0.info.name.bytesKey, $0) }) { first, _ in first }
      for region in regions where region.file == i {
        let entry = places[region.tensor.info.name.bytesKey]
        guard let entry, entry.info == region.tensor.info, header.dataStart + entry.offset == region.offset else {
          throw VPatchError(
            .invalid, place.journalPath,
            "has a region that is not the tensor \"\(region.tensor.info.name.printable)\" of \"\(file.name.printable)\"",
            remedy: Journal.unusable)
        }
      }
    }
  }
}
