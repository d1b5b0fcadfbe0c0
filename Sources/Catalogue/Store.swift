// The folder of a store:
//
//   catalogue.sqlite            what is known; beside it, while it is open, SQLite's -wal and -shm
//   patches/ab/abcd….vpatch     the patches, each under its identity
//   lock                        empty; held (flock) by whoever changes files below patches/
//   leases                      empty; each process that has leases holds a number there
//   reserve                     space for deleting something when the disk is full
//   .making-NUMBER.vpatch-…     folders in which such processes make patches

import GRDB
import Glibc
import PatchFormat
import Synchronization

/// A catalogue of patches and the patch files themselves.
///
/// Reads see one state of the catalogue; each change is one transaction, durable when it returns. Several processes may
/// use a store at once.
public final class Store: Sendable {
  public let path: String
  private let connection: Mutex<CatalogueFile.Connection>
  /// What this process holds leases as; made when the first is taken.
  let owner = Mutex<HeldNumber?>(nil)
  /// Is told of each step of what changes the store, so that a test can do something else there.
  let observer = Mutex<(@Sendable (Step) -> Void)?>(nil)

  /// Opens the store in a folder. Where nothing can be written, on a full disk or a read-only one, it can be read.
  /// - Parameter create: make the folder and an empty catalogue where there is none.
  /// - Throws: `io` where there is no store, `invalid` where the catalogue is not one of ours or is damaged, `refused`
  ///   where a later version wrote it, or the folder holds other things.
  public init(path: String, create: Bool = true) throws {
    self.path = path
    try Self.prepare(path, create: create)
    connection = Mutex(try CatalogueFile(path: Self.cataloguePath(path)).open())
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

  /// Lets go of the leases and the catalogue's file. The store must not be used after that.
  public func close() throws {
    release()
    try CatalogueFile.translating(path) { try queue.close() }
  }

  // MARK: Reading and writing

  private var queue: DatabaseQueue { connection.withLock { $0.queue } }

  /// Why nothing can be written, where that is so.
  var obstacle: VPatchError? { connection.withLock { $0.obstacle } }

  /// One consistent view.
  func read<T>(_ body: (Database) throws -> T) throws -> T {
    try CatalogueFile.translating(path) { try queue.read(body) }
  }

  /// One transaction, IMMEDIATE: two processes wait for each other instead of failing in the middle.
  func write<T>(_ body: (Database) throws -> T) throws -> T {
    if let obstacle { throw obstacle }
    return try CatalogueFile.translating(path) { try queue.write(body) }
  }

  /// The same for what means nothing after a power cut: it does not wait for the disk.
  func writeUnsynced<T>(_ body: (Database) throws -> T) throws -> T {
    if let obstacle { throw obstacle }
    return try CatalogueFile.translating(path) {
      try queue.writeWithoutTransaction { db in
        try db.execute(sql: "PRAGMA synchronous = NORMAL")
        defer { try? db.execute(sql: "PRAGMA synchronous = FULL") }
        var result: T?
        try db.inTransaction(.immediate) {
          result = try body(db)
          return .commit
        }
        return result!
      }
    }
  }

  /// Runs `body` while no other process changes files of the store. Not to be nested.
  func locked<T>(_ body: () throws -> T) throws -> T {
    if let obstacle { throw obstacle }
    let lock = try Self.lock(path)
    return try withExtendedLifetime(lock) {
      defer { Reserve(store: path).take() }
      return try body()
    }
  }

  /// The same for what only looks. Where nothing can be changed, nobody has to be kept from it.
  func lockedToLook<T>(_ body: () throws -> T) throws -> T {
    if Reserve(store: path).isOnReadOnlyDisk { return try body() }
    let lock = try Self.lock(path)
    return try withExtendedLifetime(lock, body)
  }

  /// The same for what makes room: on a full disk it takes the place of the reserve. `body` may be called twice.
  /// - Parameter isFull: whether it was tried before, and the disk was full.
  func lockedToDelete<T>(_ body: (_ isFull: Bool) throws -> T) throws -> T {
    let reserve = Reserve(store: path)
    if reserve.isOnReadOnlyDisk { throw CatalogueFile.unwritable(path) }
    let lock = try Self.lock(path)
    return try withExtendedLifetime(lock) {
      defer { reserve.take() }
      do {
        if let obstacle { throw obstacle }
        return try body(false)
      } catch let error as VPatchError where error.code == .io && reserve.isNeeded {
        guard reserve.release() else { throw error }
        if obstacle != nil {
          let again = try CatalogueFile(path: Self.cataloguePath(path)).open()
          connection.withLock { $0 = again }
        }
        if let obstacle { throw obstacle }
        return try body(true)
      }
    }
  }

  /// One transaction that takes something away: it also works on a full disk. May be called twice.
  func writeToDelete<T>(_ body: (Database) throws -> T) throws -> T { try lockedToDelete { _ in try write(body) } }

  static func lock(_ path: String) throws -> WaitingLock { try WaitingLock(Path.join(path, "lock"), subject: path) }

  // MARK: For tests

  /// Where something else may come between.
  enum Step: String, CaseIterable, Sendable {
    /// The names in the folder were read.
    case listed
    /// What goes is decided, and its rows are gone; not yet its files.
    case forgotten
    /// A patch was made in its scratch folder, and is not in the store yet.
    case made
    /// A file has its place, and nothing speaks of it yet.
    case placed
    /// A stack was read that is to be changed.
    case stackRead
    /// What is needed is leased.
    case leased
  }

  func reached(_ step: Step) { observer.withLock { $0 }?(step) }
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
      !["lock", "patches", Self.leasesName, Reserve.name].contains(name) && !isTemporary(name, of: CatalogueFile.name)
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
    let lock = try Self.lock(path)
    try withExtendedLifetime(lock) {
      // Another process may have been faster.
      guard try PathKind.of(cataloguePath(path), followingLinks: false) == .missing else { return }
      // The store's own name too, which another process may have given it and not have made durable.
      try Directory.make(path, Path.join(path, "patches"))
      try CatalogueFile.create(cataloguePath(path))
    }
  }

  /// Whether a name is one that `OutputFile` gives while it writes a file.
  static func isTemporary(_ name: String, of file: String = "") -> Bool {
    TemporaryFiles.isTemporaryOfAnyVersion(name) && name.hasPrefix("." + file)
  }
}
