import Base
import Checkpoints

/// A model's files, locked against other changes until this value goes, and where they are written into against readers.
///
/// All of them, whether they change or not: two switches of one model must not pass each other, by whatever path
/// each of them came. The journal's lock says the same of the time after its commit, when names may have changed.
struct LockedModel: Sendable {
  package let place: ModelPlace
  /// As in the checkpoint.
  package let files: [InPlaceFile]

  /// - Parameters:
  ///   - written: which of the checkpoint's files will be written into.
  ///   - allowLinks: follow symbolic links, and write into files with several names.
  ///   - byRename: other files get their names, and whoever reads them keeps them.
  init(_ input: Checkpoint, written: Set<Int>, allowLinks: Bool, byRename: Bool) throws {
    let place = try ModelPlace(input.path)
    if place.isLink, !allowLinks { throw Self.link(input.path, "is a symbolic link", else: "change a copy of it") }
    self.place = place
    // What this process itself reads of them would stand in its way. Whether they are still the same is asked below.
    if !byRename { input.endReading() }
    files = try input.files.enumerated().map { i, file in
      let path = input.isDirectory ? Path.join(place.path, file.name) : place.path
      let opened = try InPlaceFile(path: path)
      if written.contains(i), !allowLinks {
        guard try PathKind.of(path, followingLinks: false) != .symbolicLink else {
          throw Self.link(path, "is a symbolic link")
        }
        guard opened.linkCount <= 1 else { throw Self.link(path, "is a file with several hard links") }
      }
      try opened.hold(byRename ? .replacing : .writing, model: input.path, remedy: Self.remedyForReaders)
      guard opened.identity == file.input.identity else { throw Self.replaced(path) }
      return opened
    }
    // It may have been switched between being opened for reading and being locked.
    if let path = try input.changedFile() { throw Self.replaced(path) }
  }

  private static let remedyForReaders =
    "try again when that is done, or use --by-rename, which leaves readers the files that they have"

  private static func replaced(_ path: String) -> VPatchError {
    VPatchError(.refused, path, "was replaced meanwhile", remedy: "run the command again")
  }

  private static func link(
    _ path: String, _ what: String, else remedy: String = "use --by-rename, which puts a file of its own there"
  ) -> VPatchError {
    VPatchError(
      .refused, path, "\(what): writing in place would change another model too",
      remedy: "\(remedy), or --allow-links if that is meant")
  }
}
