import PatchFormat

extension Store {
  /// Takes in a patch that is made for the store.
  /// - Parameter make: writes it to the path that it is given.
  public func keep(_ kind: PatchKind, threads: Int, making make: (_ path: String) throws -> Void) throws -> Patch {
    // What is made beside the store's files is as safe from gc as they are: by a lock that ends with this process.
    let scratch = try OutputDirectory(path: Path.join(path, Self.scratchName))
    let lock = try OutputFile(path: Path.join(scratch.temporaryPath, "lock"))
    return try withExtendedLifetime((scratch, lock)) {
      let file = Path.join(scratch.temporaryPath, "made.vpatch")
      try make(file)
      return try patch(add(file: file, kind: kind, threads: threads), threads: threads)
    }
  }

  private static let scratchName = "making"

  /// What processes that were killed while they made a patch left: files, and the folder that they are in.
  func abandonedScratch() throws -> [String] {
    try Path.entries(of: path).filter { Self.isTemporary($0, of: Self.scratchName) }.flatMap { name -> [String] in
      let folder = Path.join(path, name)
      let files = try Path.entries(of: folder).map { Path.join(folder, $0) }
      return files.contains(where: FileLock.isTaken) ? [] : files + [folder]
    }
  }
}
