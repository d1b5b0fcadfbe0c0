import Base
import PatchFormat

extension Store {
  /// Adds a patch that is created for the store, with a lease for this process.
  /// - Parameters:
  ///   - stack: the identity of the stack whose composite it is.
  ///   - make: writes it to the given path.
  package func keep(
    _ kind: PatchKind, stack: ContentDigest? = nil, threads: Int, making make: (_ path: String) throws -> Void
  ) throws -> Patch {
    let made = Admission(kind: kind, stack: stack, isLeased: true)
    return try patch(addMade(as: made, threads: threads, making: make).identity, threads: threads)
  }

  /// Adds a patch that is created for the store.
  /// - Parameter make: writes it to the given path.
  package func addMade(
    as admission: Admission, threads: Int, making make: (_ path: String) throws -> Void
  ) throws -> Addition {
    // The folder's name contains the owner from the start, so gc ignores it while this process runs.
    let scratch = try OutputDirectory(path: Path.join(path, Self.scratchPrefix + String(ownNumber())))
    return try withExtendedLifetime(scratch) {
      let file = Path.join(scratch.temporaryPath, "made.vpatch")
      try make(file)
      reached(.made)
      return try addReporting(file: file, as: admission, threads: threads)
    }
  }

  private static let scratchPrefix = scratchName + "-"

  /// Leftovers of processes that were killed while they created a patch: files, and their folder.
  func abandonedScratch() throws -> [String] {
    try Path.entries(of: path).filter { Self.isTemporary($0, of: Self.scratchName) }.flatMap { name -> [String] in
      let folder = Path.join(path, name)
      if let owner = Self.scratchOwner(name), isLiving(owner) { return [] }
      // The process may have finished since the names were read.
      guard try PathKind.of(folder, followingLinks: false) == .directory else { return [] }
      return try Path.entries(of: folder).map { Path.join(folder, $0) } + [folder]
    }
  }

  /// Nil for a folder of a version without numbers. It is not in use, since that version cannot use a catalogue with
  /// the current schema.
  private static func scratchOwner(_ folder: String) -> Int64? {
    guard folder.hasPrefix("." + scratchPrefix) else { return nil }
    return Int64(folder.dropFirst(1 + scratchPrefix.count).prefix { $0.isNumber })
  }
}
