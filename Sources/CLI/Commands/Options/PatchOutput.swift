import ArgumentParser
import Base
import Catalogue
import Workspace

/// Where a new patch is written: to a file, and to the store.
struct PatchOutput: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("Output file for the patch.", valueName: "file"))
  var output: String
  @Option(help: "Name of the patch, and its alias in the store.")
  var name: String?
  @Option(help: "Note to keep in the patch.")
  var note: String?
  @Flag(help: "Replace an existing file.")
  var force = false
  @Flag(help: "Do not add the patch to the store.")
  var noStore = false
  @OptionGroup var store: StoreOptions

  /// What the store did with the patch.
  struct Stored {
    let addition: Addition?

    var json: JSON? { addition?.json }
    /// A line for the table of results; empty without a store.
    var lines: [String] { addition.map { ["stored    \($0.alias.map { "as \($0)" } ?? $0.identity.short)"] } ?? [] }
  }

  /// Makes the patch, and adds it to the store.
  /// - Parameters: as `Workspace.write`.
  func write<Result>(
    inputs: [InputFile], base: String?, room: Int = 0, _ common: CommonOptions,
    _ make: (_ path: String, _ store: Store?) throws -> Result
  ) throws -> (Result, Stored) {
    let new = NewPatch(path: output, name: name, force: force, isStored: !noStore)
    let (result, addition) = try common.workspace(store).write(new, inputs: inputs, base: base, room: room, make)
    return (result, Stored(addition: addition))
  }
}

extension CommonOptions {
  /// Prints notes about a patch that was added to the store.
  func notes(_ stored: PatchOutput.Stored) {
    for note in stored.addition?.allNotes ?? [] { self.note(note) }
  }
}
