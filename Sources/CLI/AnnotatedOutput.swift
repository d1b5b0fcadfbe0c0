import Apply
import ArgumentParser
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

  /// Every rewriting of annotations comes through here: whatever else knows a patch's annotations (a store's
  /// catalogue) is to be told here.
  /// - Returns: the path that was written.
  func write(_ patch: Patch, annotations: JSON) throws -> String {
    let path = output ?? patch.path
    try OutputCheck.file(path, inputs: output == nil ? [] : [patch.file], force: output == nil || force)
    try patch.write(annotations: annotations, to: path)
    return path
  }
}
