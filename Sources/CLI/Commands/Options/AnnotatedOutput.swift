import ArgumentParser

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
}
