import PatchFormat

/// A model's files, locked against other switches until this value goes.
///
/// All of them, whether they change or not: two switches of one model must not pass each other, by whatever path
/// each of them came. The journal's lock says the same of the time after its commit, when names may have changed.
struct HeldModel: Sendable {
  let place: ModelPlace
  /// As in the checkpoint.
  let files: [InPlaceFile]

  /// - Parameters:
  ///   - written: which of the checkpoint's files will be written into.
  ///   - allowLinks: follow symbolic links, and write into files with several names.
  init(_ input: Checkpoint, written: Set<Int>, allowLinks: Bool) throws {
    let place = try ModelPlace(input.path)
    if place.isLink, !allowLinks { throw Self.link(input.path, "is a symbolic link", else: "change a copy of it") }
    self.place = place
    files = try input.files.enumerated().map { i, file in
      let path = input.isDirectory ? Path.join(place.path, file.name) : place.path
      let opened = try InPlaceFile(path: path)
      if written.contains(i), !allowLinks {
        guard try PathKind.of(path, followingLinks: false) != .symbolicLink else {
          throw Self.link(path, "is a symbolic link")
        }
        guard opened.linkCount <= 1 else { throw Self.link(path, "is a file with several hard links") }
      }
      guard try opened.lock() else {
        throw VPatchError(
          .refused, input.path, "is being switched by another process", remedy: "try again when that is done")
      }
      // It may have been replaced between being opened for reading and being locked.
      guard opened.state.hasSameBytes(as: file.input.state), try opened.isStillThere() else {
        throw VPatchError(.refused, path, "was replaced meanwhile", remedy: "run the command again")
      }
      return opened
    }
    try Checkpoint.refuseUnfinished(input.path)
  }

  private static func link(
    _ path: String, _ what: String, else remedy: String = "use --by-rename, which puts a file of its own there"
  ) -> VPatchError {
    VPatchError(
      .refused, path, "\(what): writing in place would change another model too",
      remedy: "\(remedy), or --allow-links if that is meant")
  }
}
