import Base
import PatchFormat

/// Finds patches by identity: in a store, or among a few open files.
package protocol PatchLibrary {
  /// - Throws: where the patch is missing, with advice.
  func patch(_ identity: ContentDigest) throws -> Patch
  /// The composite of a stack, if one was kept.
  func composite(of stack: StackDefinition) throws -> Patch?
  /// Keeps a composite for as long as it may be needed.
  /// - Parameter make: writes it to the given path. `replacing` says whether an existing file may be replaced.
  func keepComposite(
    of stack: StackDefinition, making make: (_ path: String, _ replacing: Bool) throws -> Void
  ) throws -> Patch
}

/// Patches that were opened from files. Composites go to the requested file, or to a folder that is deleted with this
/// value.
package final class OpenPatches: PatchLibrary {
  private let patches: [ContentDigest: Patch]
  private let undoPath: String?
  private let replacing: Bool
  private let scratch: OutputDirectory?

  /// - Parameters:
  ///   - undoPath: where the composite is written; nil: in a scratch folder.
  ///   - replacing: whether an existing file is replaced.
  ///   - path: the scratch folder is created beside it.
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

  /// Accepts an existing file if it is the patch that would be written: an earlier, interrupted run of the same command
  /// wrote it.
  private func keep(_ path: String, making make: (String, Bool) throws -> Void) throws -> Patch {
    let folder = try OutputDirectory(path: path)
    let other = Path.join(folder.temporaryPath, Path.name(path))
    try make(other, false)
    guard let kept = try? Patch(path: path), try kept.identity == Patch(path: other).identity else {
      throw Directory.exists(path)
    }
    return kept
  }

  /// Whether a file is the composite of a stack, as `keepComposite` writes it.
  package static func isComposite(_ path: String, of stack: StackDefinition) throws -> Bool {
    guard try PathKind.of(path, followingLinks: false) == .file, let patch = try? Patch(path: path) else {
      return false
    }
    return patch.annotations["made"]?["stack"] == stack.json()
  }
}
