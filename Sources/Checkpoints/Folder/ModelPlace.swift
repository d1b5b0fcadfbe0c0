import Base

/// The location of a model and of the files that belong to it, with symbolic links resolved.
package struct ModelPlace: Sendable {
  /// The file or folder itself, not a symbolic link to it.
  package let path: String
  package let isDirectory: Bool
  /// Whether the given path is a symbolic link.
  package let isLink: Bool

  /// - Throws: `io` where the path cannot be examined.
  package init(_ path: String) throws {
    isLink = try PathKind.of(Path.trimmed(path), followingLinks: false) == .symbolicLink
    self.path = isLink ? try Path.resolved(path) : path
    isDirectory = try PathKind.of(path) == .directory
  }

  /// The place of a model file of that name, whatever exists there now.
  package init(file path: String) {
    self.path = path
    isDirectory = false
    isLink = false
  }

  /// The folder that contains the model's files.
  package var folder: String { isDirectory ? path : Path.parent(path) }

  /// The journal of a running or interrupted change (spec/journal.md).
  package var journalPath: String {
    isDirectory ? Path.join(path, Self.journalSuffix) : path + Self.journalSuffix
  }

  /// Appended to a file's name. In a folder it is the journal's whole name.
  package static let journalSuffix = ".vpatch-journal"

  /// Compares bytes, as a file system does.
  package static func isJournalName(_ name: String) -> Bool {
    name.utf8.suffix(journalSuffix.utf8.count).elementsEqual(journalSuffix.utf8)
  }

  /// Appended to a file's name for its provenance. In a model folder the provenance file has another name.
  package static let provenanceSuffix = ".vpatch.json"
  package static let provenanceName = "vpatch.json"

  /// The provenance file.
  package var provenancePath: String {
    isDirectory ? Path.join(path, Self.provenanceName) : path + Self.provenanceSuffix
  }

  /// Runs `body` while a journal exists. Errors get the advice to finish the change.
  package func whileDecided<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as VPatchError {
      guard error.detail != .needsRecovery else { throw error }
      throw error.advising(
        "the change is not finished: fix the cause, then run 'vpatch recover \(path)'", detail: .needsRecovery)
    }
  }

  /// The final names whose abandoned temporary files may be removed (`TemporaryFiles.removeAbandoned`): nil for all in
  /// the folder.
  package func ownNames(_ others: [String]) -> [String]? {
    isDirectory ? nil : [Path.name(path), Path.name(journalPath)] + others
  }
}
