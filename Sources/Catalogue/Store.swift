// The folder of a store:
//
//   catalogue.sqlite            what is known; beside it, while it is open, SQLite's -wal and -shm
//   patches/ab/abcd….vpatch     the patches, each under its identity
//   lock                        empty; held (flock) by whoever changes files below patches/

import GRDB
import Glibc
import PatchFormat

/// A catalogue of patches and the patch files themselves.
///
/// Reads see one state of the catalogue; each change is one transaction, durable when it returns. Several processes may
/// use a store at once.
public final class Store: Sendable {
  public let path: String
  let queue: DatabaseQueue

  /// Opens the store in a folder.
  /// - Parameter create: make the folder and an empty catalogue where there is none.
  /// - Throws: `io` where there is no store, `invalid` where the catalogue is not one of ours or is damaged, `refused`
  ///   where a later version wrote it, or the folder holds other things.
  public init(path: String, create: Bool = true) throws {
    self.path = path
    try Self.prepare(path, create: create)
    queue = try CatalogueFile(path: Self.cataloguePath(path)).open()
  }

  static func cataloguePath(_ path: String) -> String { Path.join(path, CatalogueFile.name) }
  var patchesPath: String { Path.join(path, "patches") }

  /// `$VPATCH_STORE`, else `vpatch` in the XDG data folder, which is `~/.local/share` by default.
  /// - Throws: `refused` where the environment names no home.
  public static func defaultPath() throws -> String {
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

  /// Lets go of the catalogue's file. The store must not be used after that.
  public func close() throws { try CatalogueFile.translating(path) { try queue.close() } }

  // MARK: Reading and writing

  /// One consistent view.
  func read<T>(_ body: (Database) throws -> T) throws -> T {
    try CatalogueFile.translating(path) { try queue.read(body) }
  }

  /// One transaction, IMMEDIATE: two processes wait for each other instead of failing in the middle.
  func write<T>(_ body: (Database) throws -> T) throws -> T {
    try CatalogueFile.translating(path) { try queue.write(body) }
  }

  /// Runs `body` while no other process changes files of the store. Not to be nested.
  func locked<T>(_ body: () throws -> T) throws -> T {
    let lock = try StoreLock(store: path)
    defer { lock.release() }
    return try body()
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
    let foreign = names.filter { name in
      name != "lock" && name != "patches" && !isTemporary(name, of: CatalogueFile.name)
    }
    if let first = foreign.first {
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
    let lock = try StoreLock(store: path)
    defer { lock.release() }
    // Another process may have been faster.
    guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
    // The store's own name too, which another process may have given it and not have made durable.
    try Directory.make(path, Path.join(path, "patches"))
    try CatalogueFile.create(cataloguePath(path))
  }

  /// Whether a name is one that `OutputFile` gives while it writes a file.
  static func isTemporary(_ name: String, of file: String = "") -> Bool {
    TemporaryFiles.isTemporary(name) && name.hasPrefix("." + file)
  }
}
