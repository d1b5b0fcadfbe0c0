import Base

extension Patch {
  /// Replaces the annotations of a patch file. The identity stays; the file is replaced as a whole.
  ///
  /// The folder is locked meanwhile, so concurrent edits by other processes are not lost. The file itself cannot serve
  /// as the lock, since it is replaced.
  /// - Parameter change: gets the current patch and returns its new annotations.
  /// - Returns: the patch in its new file.
  /// - Throws: `io` where other processes hold the lock for more than a minute; rethrows what `change` throws, with
  ///   nothing changed.
  @discardableResult
  package static func editAnnotations(
    at path: String, threads: Int = 2, label: String? = nil, _ change: (Patch) throws -> JSON
  ) throws -> Patch {
    let lock = try WaitingLock(Path.parent(path), isFolder: true, subject: path)
    return try withExtendedLifetime(lock) {
      let patch = try Patch(path: path, threads: threads, label: label)
      try patch.write(annotations: change(patch), to: path, replacing: true)
      return try Patch(path: path, threads: threads, label: label)
    }
  }

  /// Replaces the annotations in this patch's file.
  /// - Throws: `io` where the file holds another patch now.
  package func editAnnotations(threads: Int = 2, _ change: (Patch) throws -> JSON) throws {
    try Patch.editAnnotations(at: path, threads: threads, label: label) { now in
      guard now.identity == identity else {
        throw VPatchError(.io, path, "now holds another patch", remedy: "run the command again")
      }
      return try change(now)
    }
  }
}
