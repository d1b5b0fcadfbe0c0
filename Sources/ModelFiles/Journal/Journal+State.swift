import Base
import Checkpoints

// The current state of a journal's entries in the folder. A file counts as present, under its old or new name, only if
// it has the recorded identity. A missing name alone proves nothing.

extension Journal {
  package enum RenameState {
    /// Still to be done; over an existing file or not.
    case ready(over: Bool)
    /// Done, but the old name still exists: the file system added the new name and had not removed the old one yet.
    case twice
    case done
    /// Another file has the new name.
    case obstructed
    /// The finished file is missing.
    case lost
  }

  package enum RemovalState { case ready, done, obstructed }

  package func state(of rename: Rename, in folder: String) throws -> RenameState {
    let from = try identity(rename.from, folder)
    let to = try identity(rename.to, folder)
    if from == rename.identity {
      return to == nil
        ? .ready(over: false) : to == rename.over ? .ready(over: true) : to == from ? .twice : .obstructed
    }
    return to == rename.identity ? .done : .lost
  }

  package func state(of removal: Removal, in folder: String) throws -> RemovalState {
    let found = try identity(removal.name, folder)
    return found == nil ? .done : found == removal.identity ? .ready : .obstructed
  }

  private func identity(_ name: String, _ folder: String) throws -> LastingIdentity? {
    try LastingIdentity.of(Path.join(folder, name), followingLinks: false)
  }

  // MARK: Taking back

  /// Whether it only adds new files and does nothing else, as for a command that writes a new model.
  var onlyAdds: Bool { regions.isEmpty && removals.isEmpty && renames.allSatisfy { $0.over == nil } }

  /// Undoes all changes of the journal, of which no success was reported yet. If this is interrupted, the journal can
  /// still be replayed until it is removed.
  func takeBack(in place: ModelPlace) throws {
    var finished: [String] = []
    for rename in renames {
      let from = Path.join(place.folder, rename.from)
      switch try state(of: rename, in: place.folder) {
      case .done: try Directory.rename(Path.join(place.folder, rename.to), to: from, replacing: false)
      case .twice: try Directory.remove(Path.join(place.folder, rename.to))
      case .ready, .obstructed: break
      case .lost: continue
      }
      finished.append(from)
    }
    try Directory.syncOrFail(place.folder)
    try Directory.remove(place.journalPath)
    // If the folder loses this removal in a power cut, the journal is back and needs these files.
    try Directory.syncOrFail(place.folder)
    for path in finished { try Directory.remove(path) }
  }
}

extension ModelPlace {
  func isObstructed(_ name: String) -> VPatchError {
    VPatchError(
      .refused, Path.join(folder, name),
      "blocks the unfinished change: it is not the file that was there when the change began",
      remedy: "move it away and run 'vpatch recover \(path)', "
        + "or run 'vpatch recover \(path) --set-aside', which renames it and continues", detail: .needsRecovery)
  }

  func hasLost(_ name: String) -> VPatchError {
    VPatchError(
      .refused, Path.join(folder, name), "cannot be replaced: the new file that the unfinished change needs is missing",
      remedy: "run 'vpatch recover \(path) --set-aside', which finishes the change without it and deletes nothing",
      detail: .needsRecovery)
  }
}
