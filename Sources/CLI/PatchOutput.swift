import ArgumentParser
import Base
import Catalogue

/// Where a patch that is made goes: into a file, and into the store.
struct PatchOutput: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("Where to write the patch.", valueName: "file"))
  var output: String
  @Option(help: "A name for the patch, and its alias in the store.")
  var name: String?
  @Option(help: "A note to travel with the patch.")
  var note: String?
  @Flag(help: "Replace an existing file.")
  var force = false
  @Flag(help: "Do not take the patch into the store.")
  var noStore = false
  @OptionGroup var store: StoreOptions

  /// What became of it in the store.
  struct Stored {
    let addition: Addition?

    var json: JSON? { addition?.json }
    /// A line for the table of results; empty where there is nothing to say.
    var lines: [String] { addition.map { ["stored    \($0.alias.map { "as \($0)" } ?? $0.identity.short)"] } ?? [] }
  }

  /// Checks the output and the store, makes the patch, and takes it into the store: one that cannot be used is found
  /// before the work and not after it.
  /// - Parameters:
  ///   - inputs: files that are read.
  ///   - base: where what the patch is made from was seen, if it is at hand.
  ///   - room: bytes that the patch may have, where that is known.
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
        remedy: "\(output.printable) is written and whole, and not in the store: "
          + (error.remedy.map { "\($0), then " } ?? "") + "run 'vpatch add \(output.printable)'")
    }
  }

  private func openStore(room: Int) throws -> Store {
    do {
      let store = try store.open(create: true)
      try store.requireRoom(bytes: room)
      return store
    } catch let error as VPatchError {
      let wayOut = "--no-store writes the patch alone"
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
  /// What there is to say of a patch that came into the store.
  func notes(_ stored: PatchOutput.Stored) {
    for note in stored.addition?.allNotes ?? [] { self.note(note) }
  }
}
