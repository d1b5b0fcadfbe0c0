import PatchFormat

/// Opens what the arguments name, and says what it is instead where two arguments were swapped.
enum Inputs {
  static func checkpoint(_ path: String) throws -> Checkpoint {
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch and not a checkpoint", remedy: "are the arguments in the right order?")
    }
    return try Checkpoint(path: path)
  }

  static func patch(_ path: String, _ threads: Int) throws -> Patch {
    switch PathKind.of(path) {
    case .missing: throw VPatchError(.io, path, "does not exist", remedy: "give a .vpatch file")
    case .directory: throw VPatchError(.invalid, path, "is a directory and not a patch", remedy: "give a .vpatch file")
    default: return try Patch(path: path, threads: threads)
    }
  }
}
