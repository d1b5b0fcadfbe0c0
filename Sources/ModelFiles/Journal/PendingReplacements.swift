import Apply
import Base

/// Whole files of a folder that are replaced or go, all together, when a journal says so.
struct PendingReplacements {
  package let folder: String
  /// A file whose owner and permissions those get that come where nothing was.
  private let sibling: String?
  /// What comes, written and without its name yet.
  package private(set) var outputs: [OutputFile] = []
  private(set) var removals: [Journal.Removal] = []
  /// Side files as they were compared: only these may be replaced or removed.
  private var compared: [SideFileChanges.Replacement] = []

  init(in folder: String, sibling: String? = nil) {
    self.folder = folder
    self.sibling = sibling
  }

  /// A side file as the patches make it, in place of the very one that was compared.
  package mutating func replace(_ file: SideFileChanges.Replacement) throws {
    try replace(file.name, with: file.contents)
    compared.append(file)
  }

  /// Looks again, before it is too late: what was compared is what is replaced or removed.
  /// - Throws: `io` where that is not so.
  package func requireUnchanged() throws {
    for file in compared { try SideFile.require(file.over, at: Path.join(folder, file.name)) }
  }

  /// A file of these contents in place of what has that name; without contents nothing.
  package mutating func replace(_ name: String, with contents: [UInt8]?) throws {
    guard let contents else { return try remove(name) }
    // Before anything is written: what stands there may be no file.
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

  /// Makes what comes durable, and says who it is.
  /// - Throws: `refused` where no file can come: all that a journal will need is found out before it is decided.
  package func renames() throws -> [Journal.Rename] {
    try outputs.map { output in
      let name = Path.name(output.path)
      let over = try Journal.target(name, in: folder)
      try inherit(output, replacing: over != nil)
      try output.sync()
      guard let identity = try LastingIdentity.of(Path.join(folder, output.temporaryName), followingLinks: false) else {
        throw VPatchError(.io, output.path, "has lost its temporary file", remedy: "run the command again")
      }
      return Journal.Rename(from: output.temporaryName, to: name, identity: identity, over: over)
    }
  }

  private func inherit(_ output: OutputFile, replacing: Bool) throws {
    if !replacing {
      if let sibling { try output.takeOwner(of: sibling) }
    } else if try PathKind.of(output.path, followingLinks: false) == .symbolicLink {
      // The file that the link leads to stays, and is as private as it was.
      try output.takeOwner(of: output.path)
    } else {
      try output.inheritAttributes()
    }
  }
}
