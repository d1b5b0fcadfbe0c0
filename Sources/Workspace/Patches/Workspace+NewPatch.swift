import Base
import Catalogue

/// Where a new patch goes.
package struct NewPatch: Sendable {
  package let path: String
  /// An alias in the store, if it is a valid name.
  package let name: String?
  /// Replace an existing file, and take the name from another patch of the store.
  package let force: Bool
  package let isStored: Bool

  package init(path: String, name: String? = nil, force: Bool = false, isStored: Bool = true) {
    self.path = path
    self.name = name
    self.force = force
    self.isStored = isStored
  }
}

extension Workspace {
  /// Checks the output and the store, makes the patch, and adds it to the store. The checks come first, so that a store
  /// that cannot be used is found before the work.
  /// - Parameters:
  ///   - inputs: the files that are read.
  ///   - base: the path of the patch's base, if known.
  ///   - room: the largest size of the patch in bytes, if known.
  ///   - make: writes the patch to the path that it is given.
  /// - Returns: what `make` returns, and what the store did with the patch; nil without a store.
  package func write<Result>(
    _ new: NewPatch, inputs: [InputFile], base: String?, room: Int = 0,
    _ make: (_ path: String, _ store: Store?) throws -> Result
  ) throws -> (Result, Addition?) {
    try OutputCheck.file(new.path, inputs: inputs, force: new.force)
    let store = new.isStored ? try openStore(room: room) : nil
    if let name = new.name, !new.force { try store?.requireFree(name) }
    let result = try make(new.path, store)
    do { return (result, try store.map { try keep(new, in: $0, base) }) } catch let error as VPatchError {
      throw VPatchError(
        error.code, error.subject, error.reason,
        remedy: "\(new.path.printable) is complete, but not in the store: "
          + (error.remedy.map { "\($0), then " } ?? "") + "run 'vpatch add \(new.path.printable)'")
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

  private func keep(_ new: NewPatch, in store: Store, _ base: String?) throws -> Addition {
    let alias = new.name.flatMap { Name.isValid($0) ? $0 : nil }
    let made = Admission(alias: alias, basePath: try base.map(Path.absolute))
    return try store.addReporting(file: new.path, as: made, threads: work.threads)
  }
}
