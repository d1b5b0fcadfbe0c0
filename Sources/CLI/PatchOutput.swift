import ArgumentParser
import Base
import Catalogue

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

  /// Checks the output and the store, makes the patch, and adds it to the store. The checks come first, so that a store
  /// that cannot be used is found before the work.
  /// - Parameters:
  ///   - inputs: the files that are read.
  ///   - base: the path of the patch's base, if known.
  ///   - room: the largest size of the patch in bytes, if known.
  ///   - make: writes the patch to the path that it is given.
  func write<Result>(
    inputs: [InputFile], base: String?, room: Int = 0, _ common: CommonOptions,
    _ make: (_ path: String, _ store: Store?) throws -> Result
  ) throws -> (Result, Stored) {
    try OutputCheck.file(output, inputs: inputs, force: force)
    let store = noStore ? nil : try openStore(room: room)
    let result = try make(output, store)
    do { return (result, Stored(addition: try store.map { try keep(in: $0, base, common) })) } catch let error
      as VPatchError
    {
      throw VPatchError(
        error.code, error.subject, error.reason,
        remedy: "\(output.printable) is complete, but not in the store: "
          + (error.remedy.map { "\($0), then " } ?? "") + "run 'vpatch add \(output.printable)'")
    }
  }

  private func openStore(room: Int) throws -> Store {
    do {
      let store = try store.open(create: true)
      try store.requireRoom(bytes: room)
      return store
    } catch let error as VPatchError {
      let wayOut = "--no-store writes the patch without a store"
      throw VPatchError(
        error.code, error.subject, error.reason, remedy: error.remedy.map { "\($0); \(wayOut)" } ?? wayOut)
    }
  }

  private func keep(in store: Store, _ base: String?, _ common: CommonOptions) throws -> Addition {
    let alias = name.flatMap { Name.isValid($0) ? $0 : nil }
    let made = Admission(alias: alias, basePath: try base.map(Path.absolute))
    return try store.addReporting(file: output, as: made, threads: common.work.threads)
  }
}

extension CommonOptions {
  /// Prints notes about a patch that was added to the store.
  func notes(_ stored: PatchOutput.Stored) {
    for note in stored.addition?.allNotes ?? [] { self.note(note) }
  }
}
