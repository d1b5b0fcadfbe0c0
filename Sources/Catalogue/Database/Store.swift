// The folder of a store:
//
//   catalogue.sqlite            the catalogue; while it is open, SQLite's -wal and -shm are beside it
//   patches/ab/abcd….vpatch     the patches, named by identity
//   lock                        empty; locked (flock) while files below patches/ change
//   leases                      empty; each process with leases holds a number there
//   reserve                     disk space for deletions when the disk is full
//   .making-NUMBER.vpatch-…     folders in which such processes create patches

import Base
import GRDB
import Glibc
import Synchronization

/// A catalogue of patches, and the patch files.
///
/// A read uses one state of the catalogue. Each change is one transaction, durable when it returns. Several processes
/// may use a store at the same time.
package final class Store: Sendable {
  package let path: String
  /// Replaced only after space was freed.
  let connection: Mutex<CatalogueFile.Connection>
  /// The owner of this process's leases; created with the first lease.
  let owner = Mutex<HeldNumber?>(nil)
  /// Called at each step of a change, so that tests can interleave other actions.
  let observer = Mutex<(@Sendable (Step) -> Void)?>(nil)

  /// Opens the store in a folder. On a full or read-only disk it can still be read.
  /// - Parameter create: create the folder and an empty catalogue if missing.
  /// - Throws: `io` where there is no store; `invalid` where the catalogue is damaged or not one of vpatch; `refused`
  ///   where a later version wrote it, or the folder contains other things.
  package init(path: String, create: Bool = true) throws {
    self.path = path
    try Self.prepare(path, create: create)
    connection = Mutex(try CatalogueFile(path: Self.cataloguePath(path)).open())
  }

  static let leasesName = "leases"
  /// How the names of folders begin in which processes make patches.
  static let scratchName = "making"
  static func cataloguePath(_ path: String) -> String { Path.join(path, CatalogueFile.name) }
  var patchesPath: String { Path.join(path, "patches") }

  /// `$VPATCH_STORE`, else `vpatch` in the XDG data folder, by default `~/.local/share`.
  /// - Throws: `refused` where the environment has no home folder.
  package static func defaultPath() throws -> String {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    if let path = variable("VPATCH_STORE") { return path }
    // The XDG specification says to ignore a relative path.
    if let data = variable("XDG_DATA_HOME"), data.utf8.first == UInt8(ascii: "/") { return Path.join(data, "vpatch") }
    guard let home = variable("HOME") else {
      throw VPatchError(
        .refused, nil, "there is no home folder for a store", remedy: "give --store or set VPATCH_STORE")
    }
    return Path.join(home, ".local/share/vpatch")
  }

  /// Releases the leases and closes the catalogue. The store must not be used afterwards.
  package func close() throws {
    release()
    try CatalogueFile.translating(path) { try queue.close() }
  }
}

/// What the folder may contain before there is a catalogue.
extension Store {
  private static func prepare(_ path: String, create: Bool) throws {
    switch try PathKind.of(path) {
    case .directory: break
    case .missing:
      guard create else {
        throw VPatchError(
          .io, path, "is not a store: does not exist", remedy: "vpatch add FILE creates one, or give another --store")
      }
      try Directory.make(path)
    default: throw VPatchError(.refused, path, "is a file, not a store", remedy: "give a folder")
    }
    guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
    let names = try Path.entries(of: path)
    if let first = names.first(where: { !isOwn($0) }) {
      throw VPatchError(
        .refused, path, "is not a store: it contains \"\(first)\" but no \(CatalogueFile.name)",
        remedy: "give an empty folder, or one that does not exist")
    }
    guard create else {
      throw VPatchError(
        .io, path, "has no \(CatalogueFile.name)",
        remedy: (try? Path.entries(of: Path.join(path, "patches")).isEmpty) == false
          ? "vpatch fsck --repair creates one from its patch files" : "vpatch add FILE creates one")
    }
    let lock = try Self.lock(path)
    try withExtendedLifetime(lock) {
      // Another process may have created it meanwhile.
      guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
      // Also makes the store's own name durable, which another process may not have done yet.
      try Directory.make(path, Path.join(path, "patches"))
      try CatalogueFile.create(cataloguePath(path))
    }
  }

  /// Whether there is a store. False for a folder that a killed process left before it had a catalogue.
  /// - Throws: `io` where it cannot be examined.
  package static func isThere(_ path: String) throws -> Bool {
    guard try PathKind.of(path) == .directory, try PathKind.of(cataloguePath(path), followingLinks: false) == .missing
    else { return try PathKind.of(path) != .missing }
    let names = try Path.entries(of: path)
    let patches = names.contains("patches") ? try Path.entries(of: Path.join(path, "patches")) : []
    return names.contains { !isOwn($0) } || !patches.isEmpty
  }

  /// Whether a store may have such an entry before it has a catalogue.
  private static func isOwn(_ name: String) -> Bool {
    ["lock", "patches", leasesName, Reserve.name].contains(name)
      || [CatalogueFile.name, scratchName].contains { isTemporary(name, of: $0) }
  }

  /// Whether a name is temporary, from `OutputFile`.
  static func isTemporary(_ name: String, of file: String = "") -> Bool {
    TemporaryFiles.isTemporaryOfAnyVersion(name) && name.hasPrefix("." + file)
  }
}
