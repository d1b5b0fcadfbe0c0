import Apply
import ArgumentParser
import Base
import Glibc
import Model
import Workspace

/// The options of every command.
struct CommonOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Print only errors and what the command was asked to show: no progress, no reports.")
  var quiet = false

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(help: "Show all columns of tables, and do not wrap lines at the terminal's width.")
  var wide = false

  @Option(
    help: ArgumentHelp(
      "Number of threads; does not change the result. (default: $VPATCH_THREADS, else one per processor)",
      valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be between 1 and 1024.") }
  }

  /// `--threads`, else `$VPATCH_THREADS`, else one per processor.
  var work: WorkOptions {
    let environment = getenv("VPATCH_THREADS").flatMap { Int(String(cString: $0)) }
      .flatMap { 1...1024 ~= $0 ? $0 : nil }
    let count = threads ?? environment ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return WorkOptions(threads: count, progress: ProgressBar.progress(quiet: quiet))
  }

  /// - Parameter store: nil for a command that needs no store.
  func workspace(_ store: StoreOptions? = nil) -> Workspace {
    let (quiet, json) = (quiet, json)
    return Workspace(
      store: store?.location ?? StoreLocation(), work: work,
      messages: Messages(
        warning: { if !quiet { Terminal.note("warning: \($0.printable)") } },
        note: { if !quiet, !json { Terminal.note("note: \($0.printable)") } }))
  }

  /// The width that tables have to fit into; nil: any.
  var width: Int? { wide ? nil : Screen.output.width }

  /// Prints what the command was asked to show, as JSON or as text.
  /// - Parameter isReport: the result also reports finished work, which stays done even if printing fails.
  func print(_ result: JSON, isReport: Bool = false, text: @autoclosure () -> String) {
    ProgressBar.clear()
    if json {
      Terminal.out(result.pretty().escapingControls, isReport: isReport, isWide: true)
    } else {
      Terminal.out(text(), isReport: isReport, isWide: wide)
    }
  }

  /// Reports finished work: a file written, a model switched, a store changed. `--quiet` suppresses the text.
  func report(_ done: JSON, text: @autoclosure () -> String) {
    if json || !quiet { print(done, isReport: true, text: text()) }
  }

  /// Warns that the result may not be the intended one. Printed with `--json` too.
  func warn(_ text: String) {
    workspace().messages.warning(text)
  }

  /// Prints a note, which is not part of the result.
  func note(_ text: String) {
    workspace().messages.note(text)
  }
}

extension Compute.Precision: ExpressibleByArgument {}
extension Compute.BLAS: ExpressibleByArgument {}

/// The options of commands that write a model.
struct OutputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output path: a file for a file, a new folder for a folder.", valueName: "out"))
  var output: String

  @Flag(help: "Replace an existing file.")
  var force = false

  @Flag(help: "Hash all input tensors, not only those that the patch touches.")
  var full = false

  @Flag(help: "Also copy side files that are links to outside the model's folder.")
  var allowOutside = false

  @Flag(
    help: "Also write the provenance into the files' metadata; they are then not byte for byte the tuned files.")
  var stamp = false

  var modelOutput: ModelOutput {
    ModelOutput(path: output, stamp: stamp, full: full, force: force, allowsOutside: allowOutside)
  }
}

extension Recipe: ExpressibleByArgument {
  package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}
