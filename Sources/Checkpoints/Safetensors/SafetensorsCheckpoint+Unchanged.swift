// A model may be switched while it is read. Locks exclude a switch in place: a reader locks each file while it is open,
// and the switch waits. A switch by rename leaves open files unchanged and puts new files under their names. So all
// files must belong to the same version when they are opened. If files beside them are read by name, that version must
// still be there afterwards. On a file system without locks, only the final check detects changes.

import Base

extension SafetensorsCheckpoint {
  /// Checks that the files were not written to since they were opened. Call it after the last tensor was read, before
  /// results are renamed into place or reported.
  /// - Throws: `io` where a file was changed.
  package func requireSameBytes() throws {
    for file in files where try !file.input.hasSameBytes() { throw InputFile.changed(file.input.path) }
  }

  /// Checks in addition that the path still leads to this model with this provenance. Call it when files beside the
  /// weights were read too.
  /// - Throws: `refused` where a switch is running or was interrupted; `io` where the model is another one now.
  package func requireStillThere() throws {
    if let path = try changedFile() { throw InputFile.changed(path) }
  }

  /// Like `requireStillThere`, without an error for a change.
  /// - Returns: the path of a file that changed; nil where none did.
  package func changedFile() throws -> String? {
    do { return try findChanged() } catch let busy as Busy { throw busy.error }
  }

  /// Releases the read locks, so that this process can switch the model. Later reads are no longer protected.
  package func endReading() { for file in files { file.input.endReading() } }

  /// - Throws: `Busy` where the files do not belong to one version.
  func requireOneMoment() throws {
    if let path = try findChanged() { throw Busy(InputFile.changed(path)) }
  }

  /// Checks the journal first: while it exists, files are renamed one by one, and some may not be yet.
  private func findChanged() throws -> String? {
    try Self.requireFinished(path)
    for file in files.map(\.input) + [indexFile, provenance].compactMap({ $0 }) where try !file.isUnchanged() {
      return file.path
    }
    if provenance == nil, let found = try Self.provenance(of: path) { return found.path }
    let indexPath = Path.join(path, Self.indexName)
    if isDirectory, indexFile == nil, !isSavedTwice, try PathKind.of(indexPath) != .missing { return indexPath }
    return nil
  }

  /// - Throws: `Busy` where another process changes it.
  package static func open(_ path: String, _ name: String) throws -> File {
    let input = try InputFile(path: path)
    guard try input.beginReading() else { throw Busy(FileLock.isBeingSwitched(path)) }
    do { return File(name: name, input: input, header: try SafetensorsHeader(of: input)) } catch let error
      as VPatchError
    {
      throw try OtherForm.of(input, isShard: !name.isEmpty)?.error(path) ?? error
    }
  }

  /// Ignores a symbolic link: its target describes another model.
  package static func provenance(of path: String) throws -> InputFile? {
    let path = try ModelPlace(path).provenancePath
    return try PathKind.of(path, followingLinks: false) == .file ? InputFile(path: path) : nil
  }
}
