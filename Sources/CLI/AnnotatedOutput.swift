import ArgumentParser
import Base
import PatchFormat

/// Where a patch with new annotations is written: to its own file, or to a copy.
struct AnnotatedOutput: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write a copy instead of changing the patch.", valueName: "file"))
  var output: String?

  @Flag(help: "Replace an existing copy.")
  var force = false

  func validate() throws {
    if force, output == nil { throw ValidationError("--force requires --output.") }
  }

  /// Every change of annotations goes through here. For a patch in the store, it updates the catalogue too.
  /// - Parameter change: receives the current patch and returns its new annotations.
  /// - Returns: the path that was written.
  func write(_ patch: Patch, _ options: StoreOptions, threads: Int, _ change: (Patch) throws -> JSON) throws -> String {
    if let output {
      try OutputCheck.file(output, inputs: [patch.file], force: force)
      try patch.write(annotations: change(patch), to: output, replacing: force)
      return output
    }
    if let store = try options.existing(), try store.holds(patch) {
      try store.editAnnotations(patch.identity, threads: threads, change)
    } else {
      try OutputCheck.file(patch.path, inputs: [], force: true)
      try patch.editAnnotations(threads: threads, change)
    }
    return patch.path
  }
}
