import Base

extension Journal {
  /// All that the journal changes is what it was written for, and nothing stands in the way.
  /// - Throws: `refused` where something is another file now.
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

  /// The name of a file can be given to another, or taken away. To be asked before a journal is written that needs it.
  /// - Returns: what stands there; nil where nothing does.
  /// - Throws: `refused` where no file stands there, or one that the system keeps.
  package static func target(_ name: String, in folder: String) throws -> LastingIdentity? {
    let path = Path.join(folder, name)
    switch try PathKind.of(path, followingLinks: false) {
    case .missing: return nil
    case .file, .symbolicLink: break
    case .directory, .other:
      throw VPatchError(
        .refused, path, "is not a file, and a file has to go there or be taken away",
        remedy: "nothing was changed: move it to another place, then run the command again")
    }
    try Directory.requireReplaceable(path)
    return try LastingIdentity.of(path, followingLinks: false)
  }
}
