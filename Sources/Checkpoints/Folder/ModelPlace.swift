import Base

/// Where a model lies, and where what belongs to it does: whatever links it was reached by.
package struct ModelPlace: Sendable {
  /// The file or folder itself, and not a symbolic link to it.
  package let path: String
  package let isDirectory: Bool
  /// Whether it was named by a symbolic link.
  package let isLink: Bool

  /// - Throws: `io` where the system does not say what stands there.
  package init(_ path: String) throws {
    isLink = try PathKind.of(Path.trimmed(path), followingLinks: false) == .symbolicLink
    self.path = isLink ? try Path.resolved(path) : path
    isDirectory = try PathKind.of(path) == .directory
  }

  /// Of a file that is to be, or was, one of that name, whatever stands there now.
  package init(file path: String) {
    self.path = path
    isDirectory = false
    isLink = false
  }

  /// The folder that holds the model's files.
  package var folder: String { isDirectory ? path : Path.parent(path) }

  /// The journal of a change that is under way or was cut off (spec/journal.md).
  package var journalPath: String {
    isDirectory ? Path.join(path, Self.journalSuffix) : path + Self.journalSuffix
  }

  /// Behind a file's name, and a folder's journal as it is.
  package static let journalSuffix = ".vpatch-journal"

  /// By bytes, as a file system sees it.
  package static func isJournalName(_ name: String) -> Bool {
    name.utf8.suffix(journalSuffix.utf8.count).elementsEqual(journalSuffix.utf8)
  }

  /// Behind a file's name for what is written of it; in a folder that is a model, the name of that.
  package static let provenanceSuffix = ".vpatch.json"
  package static let provenanceName = "vpatch.json"

  /// What vpatch wrote of the model.
  package var provenancePath: String {
    isDirectory ? Path.join(path, Self.provenanceName) : path + Self.provenanceSuffix
  }

  /// Does what is done while there is a journal; an error says then that it is not the end.
  package func whileDecided<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as VPatchError {
      guard error.remedy?.contains("vpatch recover") != true else { throw error }
      throw VPatchError(
        error.code, error.subject, error.reason,
        remedy: "the change is decided and not finished: mend that, then run 'vpatch recover \(path)'")
    }
  }

  /// The files that are removed with `TemporaryFiles.removeAbandoned` when they are found half-written: nil for all in
  /// the folder.
  package func ownNames(_ others: [String]) -> [String]? {
    isDirectory ? nil : [Path.name(path), Path.name(journalPath)] + others
  }
}
