// The folder of a store:
//
//   catalogue.sqlite            what is known; beside it, while it is open, SQLite's -wal and -shm
//   patches/ab/abcd….vpatch     the patches, each under its identity
//   lock                        empty; held (flock) by whoever changes files below patches/
//   leases                      empty; each process that has leases holds a number there
//   reserve                     space for deleting something when the disk is full
//   .making-NUMBER.vpatch-…     folders in which such processes make patches

import Base
import GRDB
import Glibc
import Synchronization

/// A catalogue of patches and the patch files themselves.
///
/// Reads see one state of the catalogue; each change is one transaction, durable when it returns. Several processes may
/// use a store at once.
package final class Store: Sendable {
  package let path: String
  /// Another one only where room was made for it.
  let connection: Mutex<CatalogueFile.Connection>
  /// What this process holds leases as; made when the first is taken.
  let owner = Mutex<HeldNumber?>(nil)
  /// Is told of each step of what changes the store, so that a test can do something else there.
  let observer = Mutex<(@Sendable (Step) -> Void)?>(nil)

  /// Opens the store in a folder. Where nothing can be written, on a full disk or a read-only one, it can be read.
  /// - Parameter create: make the folder and an empty catalogue where there is none.
  /// - Throws: `io` where there is no store, `invalid` where the catalogue is not one of ours or is damaged, `refused`
  ///   where a later version wrote it, or the folder holds other things.
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

  /// `$VPATCH_STORE`, else `vpatch` in the XDG data folder, which is `~/.local/share` by default.
  /// - Throws: `refused` where the environment names no home.
  package static func defaultPath() throws -> String {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    if let path = variable("VPATCH_STORE") { return path }
    // The XDG specification: a relative path is to be ignored.
    if let data = variable("XDG_DATA_HOME"), data.utf8.first == UInt8(ascii: "/") { return Path.join(data, "vpatch") }
    guard let home = variable("HOME") else {
      throw VPatchError(
        .refused, nil, "there is no home folder for a store", remedy: "give --store or set VPATCH_STORE")
    }
    return Path.join(home, ".local/share/vpatch")
  }

  /// Lets go of the leases and the catalogue's file. The store must not be used after that.
  package func close() throws {
    release()
    try CatalogueFile.translating(path) { try queue.close() }
  }
}

/// What may be in the folder before there is a catalogue.
extension Store {
  private static func prepare(_ path: String, create: Bool) throws {
    switch try PathKind.of(path) {
    case .directory: break
    case .missing:
      guard create else {
        throw VPatchError(
          .io, path, "is no store: nothing is there", remedy: "vpatch add FILE makes one, or give another --store")
      }
      try Directory.make(path)
    default: throw VPatchError(.refused, path, "is a file and not a store", remedy: "give a folder")
    }
    guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
    let names = try Path.entries(of: path)
    if let first = names.first(where: { !isOwn($0) }) {
      throw VPatchError(
        .refused, path, "is no store: it holds \"\(first)\" and no \(CatalogueFile.name)",
        remedy: "give an empty folder, or one that does not exist")
    }
    guard create else {
      throw VPatchError(
        .io, path, "has no \(CatalogueFile.name)",
        remedy: (try? Path.entries(of: Path.join(path, "patches")).isEmpty) == false
          ? "vpatch fsck --repair makes a new one of its patch files" : "vpatch add FILE makes one")
    }
    let lock = try Self.lock(path)
    try withExtendedLifetime(lock) {
      // Another process may have been faster.
      guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
      // The store's own name too, which another process may have given it and not have made durable.
      try Directory.make(path, Path.join(path, "patches"))
      try CatalogueFile.create(cataloguePath(path))
    }
  }

  /// Whether there is a store: not where nothing is, nor where a process was killed while it made one.
  /// - Throws: `io` where the system does not say.
  package static func isThere(_ path: String) throws -> Bool {
    guard try PathKind.of(path) == .directory, try PathKind.of(cataloguePath(path), followingLinks: false) == .missing
    else { return try PathKind.of(path) != .missing }
    let names = try Path.entries(of: path)
    let patches = names.contains("patches") ? try Path.entries(of: Path.join(path, "patches")) : []
    return names.contains { !isOwn($0) } || !patches.isEmpty
  }

  /// Whether a store has such an entry before it has a catalogue.
  private static func isOwn(_ name: String) -> Bool {
    ["lock", "patches", leasesName, Reserve.name].contains(name)
      || [CatalogueFile.name, scratchName].contains { isTemporary(name, of: $0) }
  }

  /// Whether a name is one that `OutputFile` gives while it writes a file.
  static func isTemporary(_ name: String, of file: String = "") -> Bool {
    TemporaryFiles.isTemporaryOfAnyVersion(name) && name.hasPrefix("." + file)
  }
}
