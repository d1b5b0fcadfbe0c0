import Base
import Checkpoints

// What a journal speaks of, as it stands in the folder now. A file counts as there, in its old place or its new one, only
// where it has the identity that was written down: that a name is missing says nothing alone.

extension Journal {
  package enum RenameState {
    /// To be done; over a file, or where nothing is.
    case ready(over: Bool)
    /// Done, and the old name is there too: a file system gave a second name and had not yet taken the first away.
    case twice
    case done
    /// Something else stands where it goes.
    case obstructed
    /// The finished file is gone.
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

  /// Whether it puts files where nothing was, and does nothing else: what a command writes that makes a new model.
  var onlyAdds: Bool { regions.isEmpty && removals.isEmpty && renames.allSatisfy { $0.over == nil } }

  /// Makes it as if such a journal had never been: nobody was told yet that it was done. Cut off anywhere it can still be
  /// carried out, until the journal is gone.
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
    // Should the folder forget that, the journal is back after a power cut, and needs them.
    try Directory.syncOrFail(place.folder)
    for path in finished { try Directory.remove(path) }
  }
}

extension ModelPlace {
  func isObstructed(_ name: String) -> VPatchError {
    VPatchError(
      .refused, Path.join(folder, name),
      "stands in the way of the change that is decided: it is not what was there then",
      remedy: "move it to another place and run 'vpatch recover \(path)', "
        + "or run 'vpatch recover \(path) --set-aside', which renames it and goes on")
  }

  func hasLost(_ name: String) -> VPatchError {
    VPatchError(
      .refused, Path.join(folder, name), "cannot come: the finished file that the decided change needs is gone",
      remedy: "run 'vpatch recover \(path) --set-aside', which does the rest without it and deletes nothing")
  }
}
