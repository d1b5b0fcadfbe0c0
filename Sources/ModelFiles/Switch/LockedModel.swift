import Base
import Checkpoints

/// A model's files, locked until this value is released: against other changes, and those that are written into also
/// against readers.
///
/// All files are locked, whether they change or not: two switches of one model must exclude each other, whatever paths
/// they use. After the commit the journal's lock has that role, when names may have changed.
struct LockedModel: Sendable {
  package let place: ModelPlace
  /// In the order of the checkpoint's files.
  package let files: [InPlaceFile]

  /// - Parameters:
  ///   - written: indices of the checkpoint's files that will be written into.
  ///   - allowLinks: follow symbolic links, and write into files with several hard links.
  ///   - byRename: files will be replaced by others; readers keep the files that they have open.
  init(_ input: SafetensorsCheckpoint, written: Set<Int>, allowLinks: Bool, byRename: Bool) throws {
    let place = try ModelPlace(input.path)
    if place.isLink, !allowLinks { throw Self.link(input.path, "is a symbolic link", else: "change a copy of it") }
    self.place = place
    // This process's own read locks would block it. The check for changes follows below.
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
    // The model may have been switched between opening and locking.
    if let path = try input.changedFile() { throw Self.replaced(path) }
  }

  private static let remedyForReaders =
    "try again when that is done, or use --by-rename, which does not affect readers"

  private static func replaced(_ path: String) -> VPatchError {
    VPatchError(.refused, path, "was replaced by another process meanwhile", remedy: "run the command again")
  }

  private static func link(
    _ path: String, _ what: String, else remedy: String = "use --by-rename, which replaces it by a separate file"
  ) -> VPatchError {
    VPatchError(
      .refused, path, "\(what): writing in place would change another model too",
      remedy: "\(remedy), or --allow-links if intended")
  }
}
