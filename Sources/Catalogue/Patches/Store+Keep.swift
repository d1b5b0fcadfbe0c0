import Base
import PatchFormat

extension Store {
  /// Takes in a patch that is made for the store, and keeps it for as long as this process needs it.
  /// - Parameters:
  ///   - stack: the identity of the stack that it is the composite of.
  ///   - make: writes it to the path that it is given.
  package func keep(
    _ kind: PatchKind, stack: ContentDigest? = nil, threads: Int, making make: (_ path: String) throws -> Void
  ) throws -> Patch {
    // The folder's name says whose it is from its first moment on, so gc leaves it alone while this process lives.
    let scratch = try OutputDirectory(path: Path.join(path, Self.scratchPrefix + String(ownNumber())))
    return try withExtendedLifetime(scratch) {
      let file = Path.join(scratch.temporaryPath, "made.vpatch")
      try make(file)
      reached(.made)
      let made = Admission(kind: kind, stack: stack, isLeased: true)
      var identity: ContentDigest?
      try add([file], as: made, threads: threads, each: { identity = $0.identity })
      return try patch(identity!, threads: threads)
    }
  }

  private static let scratchPrefix = scratchName + "-"

  /// What processes that were killed while they made a patch left: files, and the folder that they are in.
  func abandonedScratch() throws -> [String] {
    try Path.entries(of: path).filter { Self.isTemporary($0, of: Self.scratchName) }.flatMap { name -> [String] in
      let folder = Path.join(path, name)
      if let owner = Self.scratchOwner(name), isLiving(owner) { return [] }
      // It may have come to its end since the names were read.
      guard try PathKind.of(folder, followingLinks: false) == .directory else { return [] }
      return try Path.entries(of: folder).map { Path.join(folder, $0) } + [folder]
    }
  }

  /// nil for a folder of a version that had no numbers: what it was made for is over, since that version cannot use a
  /// catalogue of today's schema.
  private static func scratchOwner(_ folder: String) -> Int64? {
    guard folder.hasPrefix("." + scratchPrefix) else { return nil }
    return Int64(folder.dropFirst(1 + scratchPrefix.count).prefix { $0.isNumber })
  }
}
