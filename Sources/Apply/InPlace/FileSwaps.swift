import PatchFormat

/// Whole files of a folder that are replaced or go, all together, when a journal says so.
struct FileSwaps {
  let folder: String
  /// What comes, written and without its name yet.
  private(set) var outputs: [OutputFile] = []
  private(set) var removals: [Journal.Removal] = []
  /// Side files as they were compared: only these may be replaced or removed.
  private var compared: [SideFileChanges.Replacement] = []

  init(in folder: String) { self.folder = folder }

  var isEmpty: Bool { outputs.isEmpty && removals.isEmpty }

  /// A side file as the patches make it, in place of the very one that was compared.
  mutating func replace(_ file: SideFileChanges.Replacement) throws {
    try replace(file.name, with: file.contents)
    compared.append(file)
  }

  /// Looks again, before it is too late: what was compared is what is replaced or removed.
  /// - Throws: `io` where that is not so.
  func requireUnchanged() throws {
    for file in compared { try SideFile.require(file.over, at: Path.join(folder, file.name)) }
  }

  /// A file of these contents in place of what has that name; without contents nothing.
  mutating func replace(_ name: String, with contents: [UInt8]?) throws {
    guard let contents else { return try remove(name) }
    let output = try OutputFile(path: Path.join(folder, name), replacing: true)
    try output.write(contents, at: 0)
    outputs.append(output)
  }

  mutating func replace(with written: [OutputFile]) { outputs += written }

  mutating func remove(_ name: String) throws {
    guard let identity = try identity(name) else { return }
    removals.append(Journal.Removal(name: name, identity: identity))
  }

  /// Makes what comes durable, and says who it is.
  func renames() throws -> [Journal.Rename] {
    try outputs.map { output in
      try output.inheritAttributes()
      try output.sync()
      guard let identity = try identity(output.temporaryName) else {
        throw VPatchError(.io, output.path, "has lost its temporary file", remedy: "run the command again")
      }
      let name = Path.name(output.path)
      return Journal.Rename(
        from: output.temporaryName, to: name, identity: identity, over: try self.identity(name))
    }
  }

  /// Of the name itself: where it is a symbolic link, that is what is replaced.
  private func identity(_ name: String) throws -> LastingIdentity? {
    try LastingIdentity.of(Path.join(folder, name), followingLinks: false)
  }
}
