import Apply
import ArgumentParser
import Catalogue
import PatchFormat

/// Where a patch with other annotations goes: onto its own file, or a copy.
struct AnnotatedOutput: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write a copy, and leave the patch as it is.", valueName: "file"))
  var output: String?

  @Flag(help: "Replace an existing copy.")
  var force = false

  func validate() throws {
    if force, output == nil { throw ValidationError("--force goes with --output.") }
  }

  /// Every rewriting of annotations comes through here; of a patch in the store the catalogue learns of it.
  /// - Returns: the path that was written.
  func write(_ patch: Patch, annotations: JSON, _ options: StoreOptions) throws -> String {
    if output == nil, let store = try options.existing(), try store.path(of: patch.identity) == patch.path {
      try store.annotate(patch.identity, annotations)
      return patch.path
    }
    let path = output ?? patch.path
    let replacing = output == nil || force
    try OutputCheck.file(path, inputs: output == nil ? [] : [patch.file], force: replacing)
    try patch.write(annotations: annotations, to: path, replacing: replacing)
    return path
  }
}
