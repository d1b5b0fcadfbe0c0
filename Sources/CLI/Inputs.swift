import Base
import Catalogue
import Checkpoints
import PatchFormat

/// Opens what the arguments name. If two arguments were swapped, the error says what was given.
enum Inputs {
  /// A model's file or folder. Warns about weights beside it that are not read.
  /// - Parameter reading: which files of a folder that was saved twice are the model.
  static func checkpoint(
    _ path: String, reading: Checkpoint.Reading = .specified, _ common: CommonOptions
  ) throws -> Checkpoint {
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch, not a checkpoint", remedy: "check the order of the arguments")
    }
    let checkpoint = try Checkpoint(path: path, reading: reading)
    if let warning = try checkpoint.warning() { common.warn(warning) }
    return checkpoint
  }

  /// A patch: a file, else one in the store, by its alias, its tag or the first digits of its identity.
  static func patch(_ name: String, _ threads: Int, _ options: StoreOptions) throws -> Patch {
    switch try PathKind.of(name) {
    case .missing: return try storedPatch(name, threads, options)
    case .directory:
      // A model's folder may have the same name as its patch.
      if let store = try options.existing(), let identity = try? store.resolve(name) {
        return try store.patch(identity, threads: threads)
      }
      throw VPatchError(.invalid, name, "is a directory, not a patch", remedy: "give a .vpatch file")
    default: return try Patch(path: name, threads: threads)
    }
  }

  /// A stack of the store, unless a file or a patch in the store has that name.
  static func stack(_ name: String, _ options: StoreOptions) throws -> (StoredStack, Store)? {
    guard try PathKind.of(name) == .missing, let store = try options.existing(),
      let stack = try store.stackIfAny(name), (try? store.resolve(name)) == nil
    else { return nil }
    return (stack, store)
  }

  private static func storedPatch(_ name: String, _ threads: Int, _ options: StoreOptions) throws -> Patch {
    guard let store = try options.existing() else {
      throw VPatchError(
        .io, name, "does not exist, and there is no store at \(try options.path())",
        remedy: "give a .vpatch file, or create a store with 'vpatch add'")
    }
    let identity: ContentDigest
    do { identity = try store.resolve(name) } catch let error as VPatchError where error.code == .io {
      guard error.subject == name else { throw error }
      throw VPatchError(.io, name, "does not exist, and \(error.reason)", remedy: error.remedy)
    }
    return try store.patch(identity, threads: threads)
  }
}
