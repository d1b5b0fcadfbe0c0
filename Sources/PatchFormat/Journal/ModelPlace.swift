/// Where a model lies, and where what belongs to it does: whatever links it was reached by.
public struct ModelPlace: Sendable {
  /// The file or folder itself, and not a symbolic link to it.
  public let path: String
  public let isDirectory: Bool
  /// Whether it was named by a symbolic link.
  public let isLink: Bool

  /// - Throws: `io` where the system does not say what stands there.
  public init(_ path: String) throws {
    isLink = try PathKind.of(Path.trimmed(path), followingLinks: false) == .symbolicLink
    self.path = isLink ? try Path.resolved(path) : path
    isDirectory = try PathKind.of(path) == .directory
  }

  /// The folder that holds the model's files.
  public var folder: String { isDirectory ? path : Path.parent(path) }

  /// The journal of a change that is under way or was cut off (spec/journal.md).
  public var journalPath: String {
    isDirectory ? Path.join(path, Journal.suffix) : path + Journal.suffix
  }

  /// Does what is done while there is a journal; an error says then that it is not the end.
  public func whileDecided<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as VPatchError {
      throw VPatchError(
        error.code, error.subject, error.reason,
        remedy: "the switch is decided and not finished: mend that, then run 'vpatch recover \(path)'")
    }
  }

  /// The files that are removed with `TemporaryFiles.removeAbandoned` when they are found half-written: nil for all in
  /// the folder.
  public func ownNames(_ others: [String]) -> [String]? {
    isDirectory ? nil : [Path.name(path), Path.name(journalPath)] + others
  }
}

extension Checkpoint {
  /// Refuses a model with a journal beside it: its bits may be a mixture.
  public static func refuseUnfinished(_ path: String) throws {
    let place = try ModelPlace(path)
    try refuseUnfinished(journal: place.journalPath, of: path)
    // A file may be a shard of a model that is changed as a whole.
    if !place.isDirectory {
      try refuseUnfinished(journal: Path.join(place.folder, Journal.suffix), of: place.folder)
    }
  }

  private static func refuseUnfinished(journal: String, of model: String) throws {
    guard try PathKind.of(journal, followingLinks: false) != .missing else { return }
    guard !FileLock.isTaken(journal) else {
      throw VPatchError(
        .refused, model, "is being switched by another process", remedy: "try again when that is done")
    }
    throw VPatchError(.refused, model, "has an unfinished switch", remedy: "run 'vpatch recover \(model)'")
  }
}
