import Base

extension SafetensorsCheckpoint {
  /// Refuses a model with a journal beside it: its weights may be a mixture of two versions.
  package static func refuseUnfinished(_ path: String) throws {
    do { try requireFinished(path) } catch let busy as Busy { throw busy.error }
  }

  /// - Throws: `Busy` while a process replays the journal; `refused` for an interrupted switch.
  static func requireFinished(_ path: String) throws {
    let place = try ModelPlace(path)
    try requireNone(place.journalPath, of: path)
    // A file may be a shard of a model that is being changed as a whole.
    if !place.isDirectory { try requireNone(Path.join(place.folder, ModelPlace.journalSuffix), of: place.folder) }
  }

  private static func requireNone(_ journal: String, of model: String) throws {
    guard try PathKind.of(journal, followingLinks: false) != .missing else { return }
    switch FileLock.writer(of: journal) {
    case .living: throw Busy(FileLock.isBeingSwitched(model))
    case .unknown:
      throw Busy(
        VPatchError(
          .refused, model, "is being switched by another user, or that user's switch was interrupted",
          remedy: "try again, or have that user run 'vpatch recover \(model)'", detail: .needsRecovery))
    case .none:
      // The switch may have finished between the two checks.
      guard try PathKind.of(journal, followingLinks: false) != .missing else { return }
      throw VPatchError(
        .refused, model, "has an unfinished switch", remedy: "run 'vpatch recover \(model)'", detail: .needsRecovery)
    }
  }
}
