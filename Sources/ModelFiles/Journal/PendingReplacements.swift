import Apply
import Base

/// Files of a folder that a journal will replace or remove, all together.
struct PendingReplacements {
  package let folder: String
  /// A file whose owner and permissions new files get, where they replace nothing.
  private let sibling: String?
  /// The new files, written under temporary names.
  package private(set) var outputs: [OutputFile] = []
  private(set) var removals: [Journal.Removal] = []
  /// Side files as they were compared. Only these may be replaced or removed.
  private var compared: [SideFileChanges.Replacement] = []

  init(in folder: String, sibling: String? = nil) {
    self.folder = folder
    self.sibling = sibling
  }

  /// Replaces a side file by the patches' version, if it is still the file that was compared.
  package mutating func replace(_ file: SideFileChanges.Replacement) throws {
    try replace(file.name, with: file.contents)
    compared.append(file)
  }

  /// Checks before the commit that the files to be replaced or removed are still those that were compared.
  /// - Throws: `io` where one is not.
  package func requireUnchanged() throws {
    for file in compared { try SideFile.require(file.over, at: Path.join(folder, file.name)) }
  }

  /// Writes a file that will replace the one of that name. Without contents the file will be removed.
  package mutating func replace(_ name: String, with contents: [UInt8]?) throws {
    guard let contents else { return try remove(name) }
    // First, since there may be something other than a file.
    _ = try Journal.target(name, in: folder)
    let output = try OutputFile(path: Path.join(folder, name), replacing: true)
    try output.write(contents, at: 0)
    outputs.append(output)
  }

  package mutating func replace(with written: [OutputFile]) { outputs += written }

  package mutating func remove(_ name: String) throws {
    guard let identity = try Journal.target(name, in: folder) else { return }
    removals.append(Journal.Removal(name: name, identity: identity))
  }

  /// Makes the new files durable and returns their renames with identities.
  /// - Throws: `refused` where a file cannot be replaced. Everything that a journal needs is checked before its commit.
  package func renames() throws -> [Journal.Rename] {
    try outputs.map { output in
      let name = Path.name(output.path)
      let over = try Journal.target(name, in: folder)
      try inherit(output, replacing: over != nil)
      try output.sync()
      guard let identity = try LastingIdentity.of(Path.join(folder, output.temporaryName), followingLinks: false) else {
        throw VPatchError(.io, output.path, "lost its temporary file", remedy: "run the command again")
      }
      return Journal.Rename(from: output.temporaryName, to: name, identity: identity, over: over)
    }
  }

  private func inherit(_ output: OutputFile, replacing: Bool) throws {
    if !replacing {
      if let sibling { try output.takeOwner(of: sibling) }
    } else if try PathKind.of(output.path, followingLinks: false) == .symbolicLink {
      // The target of the link stays. The new file gets its owner and permissions.
      try output.takeOwner(of: output.path)
    } else {
      try output.inheritAttributes()
    }
  }
}
