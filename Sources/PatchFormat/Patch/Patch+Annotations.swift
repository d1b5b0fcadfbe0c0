import Base

extension Patch {
  /// Gives the patch in a file other annotations: its identity stays, the file is replaced whole.
  ///
  /// The file is opened and the change made while no other process does the same, so what two processes add is both
  /// there afterwards. What is locked is the folder: the file itself becomes another one.
  /// - Parameter change: is given the patch as it is now, and returns its new annotations.
  /// - Returns: the patch in its new file.
  /// - Throws: `io` where others do not come to an end in a minute; what `change` throws, and then nothing is changed.
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

  /// The same of this patch's file.
  /// - Throws: `io` where that has become another patch.
  package func editAnnotations(threads: Int = 2, _ change: (Patch) throws -> JSON) throws {
    try Patch.editAnnotations(at: path, threads: threads, label: label) { now in
      guard now.identity == identity else {
        throw VPatchError(.io, path, "has become another patch meanwhile", remedy: "run the command again")
      }
      return try change(now)
    }
  }
}
