import Base
import PatchFormat

/// Where patches come from by identity: a store, or a few open files.
package protocol PatchLibrary {
  /// - Throws: where it is not there, with what to do about it.
  func patch(_ identity: ContentDigest) throws -> Patch
  /// The composite of a stack, where one was kept.
  func composite(of stack: StackDefinition) throws -> Patch?
  /// Keeps a composite for as long as it may be needed.
  /// - Parameter make: writes it to the path that it is given, in place of a file of that name only where it is told so.
  func keepComposite(
    of stack: StackDefinition, making make: (_ path: String, _ replacing: Bool) throws -> Void
  ) throws -> Patch
}

/// Patches that were opened from files; composites go to a file that was asked for, or to a folder that goes with this.
package final class OpenPatches: PatchLibrary {
  private let patches: [ContentDigest: Patch]
  private let undoPath: String?
  private let replacing: Bool
  private let scratch: OutputDirectory?

  /// - Parameters:
  ///   - undoPath: where the composite goes; nil: into a scratch folder.
  ///   - replacing: whether a file of that name is replaced.
  ///   - path: beside which the scratch folder is made.
  package init(_ patches: [Patch], undoPath: String?, replacing: Bool = false, scratchBeside path: String) throws {
    self.patches = Dictionary(patches.map { ($0.identity, $0) }) { first, _ in first }
    self.undoPath = undoPath
    self.replacing = replacing
    scratch = undoPath == nil ? try OutputDirectory(path: path) : nil
  }

  package func patch(_ identity: ContentDigest) throws -> Patch {
    guard let patch = patches[identity] else {
      throw VPatchError(.io, "patch \(identity.short)", "is not among the patches given", remedy: "give its file")
    }
    return patch
  }

  package func composite(of stack: StackDefinition) throws -> Patch? { nil }

  package func keepComposite(of stack: StackDefinition, making make: (String, Bool) throws -> Void) throws -> Patch {
    if let undoPath, !replacing, try PathKind.of(undoPath, followingLinks: false) == .file {
      return try keep(undoPath, making: make)
    }
    let path = undoPath ?? Path.join(scratch!.temporaryPath, "\(stack.identity.hex).vpatch")
    try make(path, replacing)
    return try Patch(path: path)
  }

  /// A file that is there already stays where it is the one that would be made: the same command got as far before.
  private func keep(_ path: String, making make: (String, Bool) throws -> Void) throws -> Patch {
    let folder = try OutputDirectory(path: path)
    let other = Path.join(folder.temporaryPath, Path.name(path))
    try make(other, false)
    guard let kept = try? Patch(path: path), try kept.identity == Patch(path: other).identity else {
      throw Directory.exists(path)
    }
    return kept
  }

  /// Whether a file is the composite of a stack, as `keepComposite` leaves it.
  package static func isComposite(_ path: String, of stack: StackDefinition) throws -> Bool {
    guard try PathKind.of(path, followingLinks: false) == .file, let patch = try? Patch(path: path) else {
      return false
    }
    return patch.annotations["made"]?["stack"] == stack.json()
  }
}
