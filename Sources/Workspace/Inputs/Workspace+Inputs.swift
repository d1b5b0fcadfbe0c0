import Base
import Catalogue
import Checkpoints
import PatchFormat

extension Workspace {
  /// A model's file or folder in safetensors form. Warns about weights beside it that are not read.
  /// - Parameter reading: which files of a folder that was saved twice are the model.
  package func checkpoint(
    _ path: String, reading: SafetensorsCheckpoint.Reading = .specified
  ) throws -> SafetensorsCheckpoint {
    try requireNoPatch(path)
    let checkpoint = try SafetensorsCheckpoint(path: path, reading: reading)
    try warn(of: checkpoint)
    return checkpoint
  }

  /// A checkpoint in any container, to be read only.
  package func readable(_ path: String) throws -> any Checkpoint {
    try requireNoPatch(path)
    let checkpoint = try Containers.open(path)
    try warn(of: checkpoint)
    return checkpoint
  }

  private func requireNoPatch(_ path: String) throws {
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch, not a checkpoint", remedy: "check the order of the arguments")
    }
  }

  private func warn(of checkpoint: some Checkpoint) throws {
    if let warning = try checkpoint.warning() { messages.warning(warning) }
  }

  /// A patch: a file, else one in the store, by its alias, its tag or the first digits of its identity.
  package func patch(_ name: String) throws -> Patch {
    switch try PathKind.of(name) {
    case .missing: return try storedPatch(name)
    case .directory:
      // A model's folder may have the same name as its patch.
      if let store = try self.store.existing(), let identity = try? store.resolve(name) {
        return try store.patch(identity, threads: work.threads)
      }
      throw VPatchError(.invalid, name, "is a directory, not a patch", remedy: "give a .vpatch file")
    default: return try Patch(path: name, threads: work.threads)
    }
  }

  /// A stack of the store, unless a file or a patch in the store has that name.
  package func stack(_ name: String) throws -> (StoredStack, Store)? {
    guard try PathKind.of(name) == .missing, let store = try self.store.existing(),
      let stack = try store.stackIfAny(name), (try? store.resolve(name)) == nil
    else { return nil }
    return (stack, store)
  }

  private func storedPatch(_ name: String) throws -> Patch {
    guard let store = try self.store.existing() else {
      throw VPatchError(
        .io, name, "does not exist, and there is no store at \(try store.path())",
        remedy: "give a .vpatch file, or create a store with 'vpatch add'")
    }
    let identity: ContentDigest
    do { identity = try store.resolve(name) } catch let error as VPatchError where error.code == .io {
      guard error.subject == name else { throw error }
      throw VPatchError(
        .io, name, "does not exist, and \(error.reason)", remedy: error.remedy, detail: error.detail, cause: error)
    }
    return try store.patch(identity, threads: work.threads)
  }
}
