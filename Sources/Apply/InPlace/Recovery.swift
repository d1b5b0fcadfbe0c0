import Glibc
import PatchFormat

/// Brings a model to its old or its new state after a change in place was cut off.
public enum Recovery {
  public enum Outcome: String, Sendable {
    /// No change was cut off.
    case nothing
    /// One was cut off before it was decided: the model is as it was before, and what was left behind is gone.
    case old
    /// One was cut off after that: the model is the new one.
    case new
  }

  /// - Parameter modelPath: the model's file or folder, as it was given to the change.
  /// - Throws: `refused` where the model is being changed right now, or the journal is another model's; `invalid` for
  ///   a damaged journal; nothing was touched then.
  public static func recover(_ modelPath: String, _ work: WorkOptions) throws -> Outcome {
    guard try PathKind.of(modelPath) != .missing else {
      throw VPatchError(.io, modelPath, "does not exist", remedy: "give the model's file or folder")
    }
    let place = try ModelPlace(modelPath)
    var isNew = false
    if try PathKind.of(place.journalPath, followingLinks: false) != .missing {
      try carryOut(place, work)
      isNew = true
    }
    let provenance = try Provenance.path(forModel: place.path, isDirectory: place.isDirectory)
    let removed = try TemporaryFiles.removeAbandoned(in: place.folder, of: place.ownNames([Path.name(provenance)]))
    return isNew ? .new : removed > 0 ? .old : .nothing
  }

  private static func carryOut(_ place: ModelPlace, _ work: WorkOptions) throws {
    let lock = try InPlaceFile(path: place.journalPath)
    guard try lock.lock(), try lock.isStillThere() else {
      throw VPatchError(
        .refused, place.path, "is being switched by another process", remedy: "try again when that is done")
    }
    let payload = try InputFile(path: place.journalPath)
    let (journal, start) = try Journal.read(payload)
    try journal.checkBelongs(to: place)
    try journal.checkPayload(payload, from: start, work)
    let files = try journal.files.map { file in
      let opened = try InPlaceFile(path: Path.join(place.folder, file.name))
      guard try opened.lock() else {
        throw VPatchError(.refused, opened.path, "is locked by another process", remedy: "try again when that is done")
      }
      return opened
    }
    try place.whileDecided { try journal.carryOut(payload, from: start, onto: files, place, work) }
  }
}

extension Journal {
  /// Every file that the journal speaks of is the one that it was written for, in its old or its new place.
  fileprivate func checkBelongs(to place: ModelPlace) throws {
    func identity(_ name: String, followingLinks: Bool = false) throws -> LastingIdentity? {
      try LastingIdentity.of(Path.join(place.folder, name), followingLinks: followingLinks)
    }
    func foreign(_ name: String) -> VPatchError {
      VPatchError(
        .refused, place.journalPath,
        "was written for another file than the \"\(name.printable)\" that is there now: was it copied, restored or edited?",
        remedy: "nothing was touched: if the model is whole as it is, delete the journal; if not, restore it first")
    }
    for file in files where try identity(file.name, followingLinks: true) != file.identity { throw foreign(file.name) }
    for rename in renames {
      if try identity(rename.from) == rename.identity {
        guard try identity(rename.to) == rename.over else { throw foreign(rename.to) }
      } else {
        guard try identity(rename.from) == nil, try identity(rename.to) == rename.identity else {
          throw foreign(rename.to)
        }
      }
    }
    for removal in removals {
      if let found = try identity(removal.name), found != removal.identity { throw foreign(removal.name) }
    }
  }

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
}
