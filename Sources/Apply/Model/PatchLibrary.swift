import PatchFormat

/// Where patches come from by identity: a store, or a few open files.
public protocol PatchLibrary {
  /// - Throws: where it is not there, with what to do about it.
  func patch(_ identity: Digest) throws -> Patch
  /// The composite of a stack, where one was kept.
  func composite(of stack: StackDefinition) throws -> Patch?
  /// Keeps a composite for as long as it may be needed.
  /// - Parameter make: writes it to the path that it is given, in place of a file of that name only where it is told so.
  func keepComposite(
    of stack: StackDefinition, making make: (_ path: String, _ replacing: Bool) throws -> Void
  ) throws -> Patch
}

/// Patches that were opened from files; composites go to a file that was asked for, or to a folder that goes with this.
public final class OpenPatches: PatchLibrary {
  private let patches: [Digest: Patch]
  private let undoPath: String?
  private let replacing: Bool
  private let scratch: OutputDirectory?

  /// - Parameters:
  ///   - undoPath: where the composite goes; nil: into a scratch folder.
  ///   - replacing: whether a file of that name is replaced.
  ///   - path: beside which the scratch folder is made.
  public init(_ patches: [Patch], undoPath: String?, replacing: Bool = false, scratchBeside path: String) throws {
    self.patches = Dictionary(patches.map { ($0.identity, $0) }) { first, _ in first }
    self.undoPath = undoPath
    self.replacing = replacing
    scratch = undoPath == nil ? try OutputDirectory(path: path) : nil
  }

  public func patch(_ identity: Digest) throws -> Patch {
    guard let patch = patches[identity] else {
      throw VPatchError(.io, "patch \(identity.short)", "is not among the patches given", remedy: "give its file")
    }
    return patch
  }

  public func composite(of stack: StackDefinition) throws -> Patch? { nil }

  public func keepComposite(of stack: StackDefinition, making make: (String, Bool) throws -> Void) throws -> Patch {
    let path = undoPath ?? Path.join(scratch!.temporaryPath, "\(stack.identity.hex).vpatch")
    try make(path, replacing)
    return try Patch(path: path)
  }
}
