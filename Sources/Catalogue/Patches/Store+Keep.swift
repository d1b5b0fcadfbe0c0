import PatchFormat

extension Store {
  /// Takes in a patch that is made for the store, and keeps it for as long as this process needs it.
  /// - Parameters:
  ///   - stack: the identity of the stack that it is the composite of.
  ///   - make: writes it to the path that it is given.
  public func keep(
    _ kind: PatchKind, stack: Digest? = nil, threads: Int, making make: (_ path: String) throws -> Void
  ) throws -> Patch {
    // The folder's name says whose it is from its first moment on, so gc leaves it alone while this process lives.
    let scratch = try OutputDirectory(path: Path.join(path, Self.scratchPrefix + String(ownNumber())))
    return try withExtendedLifetime(scratch) {
      let file = Path.join(scratch.temporaryPath, "made.vpatch")
      try make(file)
      reached(.made)
      let made = Admission(kind: kind, stack: stack, isLeased: true)
      var identity: Digest?
      try add([file], as: made, threads: threads, each: { identity = $0.identity })
      return try patch(identity!, threads: threads)
    }
  }

  private static let scratchPrefix = "making-"

  /// What processes that were killed while they made a patch left: files, and the folder that they are in.
  func abandonedScratch() throws -> [String] {
    try Path.entries(of: path).filter { Self.isTemporary($0, of: Self.scratchPrefix) }.flatMap { name -> [String] in
      let digits = name.dropFirst(1 + Self.scratchPrefix.count).prefix { $0.isNumber }
      guard let owner = Int64(digits), !isLiving(owner) else { return [] }
      let folder = Path.join(path, name)
      // It may have come to its end since the names were read.
      guard try PathKind.of(folder, followingLinks: false) == .directory else { return [] }
      return try Path.entries(of: folder).map { Path.join(folder, $0) } + [folder]
    }
  }
}
