// A model may be switched while it is read. In place that is kept away by locks: a reader holds each file for as long as
// it has it open, a switch in place waits for it. By rename a switch leaves the files that are open as they are, and puts
// others under their names. So the files have to be of one moment when they are opened, and where files beside them are
// read by their names, that moment has to last. Where a file system has no locks, looking again is all there is.

import Base

extension Checkpoint {
  /// Nobody wrote to the files since they were opened. To be asked when the last tensor was read, before what was made of
  /// them gets its name or is told.
  /// - Throws: `io` where somebody did.
  package func requireSameBytes() throws {
    for file in files where try !file.input.hasSameBytes() { throw InputFile.changed(file.input.path) }
  }

  /// The same, and the model at the path is still this one, with its provenance. To be asked when files beside it were
  /// read too.
  /// - Throws: `refused` where a switch of it is under way or was cut off; `io` where it is another one now.
  package func requireStillThere() throws {
    if let path = try changedFile() { throw InputFile.changed(path) }
  }

  /// The same as a question.
  /// - Returns: the path of a file that is not what it was; nil where all are.
  package func changedFile() throws -> String? {
    do { return try findChanged() } catch let busy as Busy { throw busy.error }
  }

  /// Lets a switch of this model, by this process, have the files. What is read from then on is what that allows.
  package func endReading() { for file in files { file.input.endReading() } }

  /// - Throws: `Busy` for what passes.
  func requireOneMoment() throws {
    if let path = try findChanged() { throw Busy(InputFile.changed(path)) }
  }

  /// The journal first: while it is there names change one by one, and some of them may not have yet.
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

  /// A link is no provenance: what it leads to was written of another model.
  package static func provenance(of path: String) throws -> InputFile? {
    let path = try ModelPlace(path).provenancePath
    return try PathKind.of(path, followingLinks: false) == .file ? InputFile(path: path) : nil
  }
}
