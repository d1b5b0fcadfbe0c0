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

  /// Of a file that is to be, or was, one of that name, whatever stands there now.
  public init(file path: String) {
    self.path = path
    isDirectory = false
    isLink = false
  }

  /// The folder that holds the model's files.
  public var folder: String { isDirectory ? path : Path.parent(path) }

  /// The journal of a change that is under way or was cut off (spec/journal.md).
  public var journalPath: String {
    isDirectory ? Path.join(path, Journal.suffix) : path + Journal.suffix
  }

  /// Behind a file's name for what is written of it; in a folder that is a model, the name of that.
  public static let provenanceSuffix = ".vpatch.json"
  public static let provenanceName = "vpatch.json"

  /// What vpatch wrote of the model.
  public var provenancePath: String {
    isDirectory ? Path.join(path, Self.provenanceName) : path + Self.provenanceSuffix
  }

  /// Does what is done while there is a journal; an error says then that it is not the end.
  public func whileDecided<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as VPatchError {
      guard error.remedy?.contains("vpatch recover") != true else { throw error }
      throw VPatchError(
        error.code, error.subject, error.reason,
        remedy: "the change is decided and not finished: mend that, then run 'vpatch recover \(path)'")
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
    do { try requireFinished(path) } catch let busy as Busy { throw busy.error }
  }

  /// - Throws: `Busy` where the journal is being carried out.
  static func requireFinished(_ path: String) throws {
    let place = try ModelPlace(path)
    try requireNone(place.journalPath, of: path)
    // A file may be a shard of a model that is changed as a whole.
    if !place.isDirectory { try requireNone(Path.join(place.folder, Journal.suffix), of: place.folder) }
  }

  private static func requireNone(_ journal: String, of model: String) throws {
    guard try PathKind.of(journal, followingLinks: false) != .missing else { return }
    switch FileLock.writer(of: journal) {
    case .living: throw Busy(isBeingSwitched(model))
    case .unknown:
      throw Busy(
        VPatchError(
          .refused, model, "is being switched by another user, or was when that was cut off",
          remedy: "try again, or have that user run 'vpatch recover \(model)'"))
    case .none:
      // It may have been done between the two looks.
      guard try PathKind.of(journal, followingLinks: false) != .missing else { return }
      throw VPatchError(.refused, model, "has an unfinished switch", remedy: "run 'vpatch recover \(model)'")
    }
  }

  static func isBeingSwitched(_ model: String) -> VPatchError {
    VPatchError(.refused, model, "is being switched by another process", remedy: "try again when that is done")
  }
}
