import Apply
import ArgumentParser
import Base
import Glibc
import Model
import ModelFiles

/// What every command takes.
struct CommonOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say nothing but errors and what was asked for.")
  var quiet = false

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Option(help: ArgumentHelp("Threads at work; the result does not depend on it.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes a number from 1 to 1024.") }
  }

  /// `--threads`, else `$VPATCH_THREADS`, else one a processor.
  var work: WorkOptions {
    let environment = getenv("VPATCH_THREADS").flatMap { Int(String(cString: $0)) }
      .flatMap { 1...1024 ~= $0 ? $0 : nil }
    let count = threads ?? environment ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return WorkOptions(threads: count, progress: ProgressBar.progress(quiet: quiet))
  }

  /// Prints the result in the form asked for; `text` not at all where quiet.
  /// - Parameter isReport: it tells of work that is done, whether or not this can be printed.
  func print(_ result: JSON, isReport: Bool = false, text: @autoclosure () -> String) {
    ProgressBar.clear()
    if json {
      Terminal.out(result.pretty().escapingControls, isReport: isReport)
    } else if !quiet {
      Terminal.out(text(), isReport: isReport)
    }
  }

  /// Prints what was done: a file written, a model switched, a store changed.
  func report(_ done: JSON, text: @autoclosure () -> String) { print(done, isReport: true, text: text()) }

  /// What may make a result another one than is meant: also where the result is JSON.
  func warn(_ text: String) {
    if !quiet { Terminal.note("warning: \(text.printable)") }
  }

  /// A remark that is no result.
  func note(_ text: String) {
    if !quiet, !json { Terminal.note("note: \(text.printable)") }
  }
}

extension String {
  /// JSON in which the control characters that it may hold as they are (C1, marks of direction) are escaped too.
  var escapingControls: String {
    unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.value >= 0x7F, String(scalar).printable.unicodeScalars.count > 1 {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}

extension Compute.Precision: ExpressibleByArgument {}

/// What writes a model.
struct OutputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Where to write: a file for a file, a new folder for a folder.", valueName: "out"))
  var output: String

  @Flag(help: "Replace an existing file.")
  var force = false

  @Flag(help: "Hash all tensors of the input, not only those that the patch touches.")
  var full = false

  @Flag(help: "Copy side files that are links to somewhere outside of the model's folder, too.")
  var allowOutside = false

  @Flag(
    help: "Write the provenance into the files' metadata too. The files are then no longer the tuned ones to the byte.")
  var stamp = false
}

extension Recipe: ExpressibleByArgument {
  package static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

extension RebuildResult {
  var json: JSON {
    JSON.dictionary([
      "output": .string(path), "provenance": .string(provenancePath), "base": .string(state.base.hex),
      "target": .string(state.root.hex), "patches": state.json["patches"], "touched_tensors": JSON(touchedTensors),
      "touched_bytes": JSON(touchedBytes),
      "total_bytes": JSON(totalBytes), "unverified_tensors": JSON(unverifiedTensors),
      "files_exact": .bool(isFilesExact),
      "side_files_kept": .array(sideFilesKept.map { .string($0) }), "left_out": .array(leftOut.map { .string($0) }),
    ]).adding(sideFileSummary.members)
  }

  func text(_ verb: String) -> String {
    let isKnown = unverifiedTensors == 0
    let untouched =
      isKnown
      ? "hashed too: all is what the patch promises"
      : "\(Format.counted(unverifiedTensors, "tensor")) as in the input, unverified (--full hashes them)"
    let files =
      !isFilesExact
      ? "in the input's own layout"
      : "byte for byte those the patch was made with" + (isKnown ? "" : ", if the untouched tensors are")
    let applied = state.entries.map { entry in
      ([entry.text] + (entry.stack?.memberLines ?? []).map { "  " + $0 }).map(\.printable)
    }
    let what = applied.isEmpty ? "nothing: it is the base" : applied.joined().joined(separator: "\n              ")
    return """
      \(verb) \(path.printable)
        applied     \(what)
        rebuilt     \(Format.counted(touchedTensors, "tensor")) bit for bit, \(Format.bytes(touchedBytes)) of \
      \(Format.bytes(totalBytes))
        untouched   \(untouched)
        files       \(files)\(sideFileSummary.modelLine)
        root        \(state.root.hex)\(isKnown ? "" : ", if the untouched tensors are the patch's")
        provenance  \(provenancePath.printable)
      """
  }

  func notes(_ common: CommonOptions) {
    common.notes(sideFilesKept: sideFilesKept)
    if !leftOut.isEmpty { common.note("did not come along: \(leftOut.joined(separator: ", "))") }
  }
}

extension SideFileSummary {
  /// A line for the table of what a patch is made of; empty where it does nothing to any.
  var patchLine: String { text.map { "\nfiles     \($0.printable)" } ?? "" }

  /// A line for the table of what was done to a model; empty where nothing became of any.
  var modelLine: String { text.map { "\n  side files  \($0.printable)" } ?? "" }
}

extension CommonOptions {
  func notes(_ findings: Findings) {
    for text in findings.texts { note(text) }
  }

  func notes(sideFilesKept names: [String]) {
    for name in names { note("\(name) is not the file that the patch was made with: it stays as it is") }
  }
}
