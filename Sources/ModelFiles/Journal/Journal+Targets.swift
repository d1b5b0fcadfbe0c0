import Base

extension Journal {
  /// Checks that all files that the journal changes are the ones it was written for.
  /// - Throws: `refused` where one is another file now.
  func requireTargets(in folder: String) throws {
    func require(_ name: String, _ expected: LastingIdentity?, followingLinks: Bool = false) throws {
      let path = Path.join(folder, name)
      guard try LastingIdentity.of(path, followingLinks: followingLinks) == expected else {
        throw VPatchError(
          .refused, path, "was changed by another process meanwhile", remedy: "run the command again")
      }
    }
    for file in files { try require(file.name, file.identity, followingLinks: true) }
    for rename in renames {
      try require(rename.from, rename.identity)
      try require(rename.to, rename.over)
    }
    for removal in removals { try require(removal.name, removal.identity) }
  }

  /// Checks that a file can be replaced or removed. Call it before a journal is written that needs it.
  /// - Returns: the identity of the file; nil where there is none.
  /// - Throws: `refused` where it is not a file, or cannot be replaced.
  package static func target(_ name: String, in folder: String) throws -> LastingIdentity? {
    let path = Path.join(folder, name)
    switch try PathKind.of(path, followingLinks: false) {
    case .missing: return nil
    case .file, .symbolicLink: break
    case .directory, .other:
      throw VPatchError(
        .refused, path, "is not a file, but the change replaces or removes a file of that name",
        remedy: "nothing was changed: move it away, then run the command again")
    }
    try Directory.requireReplaceable(path)
    return try LastingIdentity.of(path, followingLinks: false)
  }
}
