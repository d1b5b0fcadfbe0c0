// The parts of catalogue.sqlite that are checked before SQLite opens it:
//
//   0   16 bytes  "SQLite format 3\0"       60  u32  user_version: the schema's, from 1 on
//   18  2 bytes   2 2: it keeps a WAL       68  u32  application_id = "vpat"
//
// All numbers are big-endian. The file is a catalogue if and only if (1) it is a regular file, not a link, (2) these
// bytes are as above, (3) the version is known, (4) its schema equals, object by object, the result of the migrations
// up to that version: no view, no trigger, no other table.

import Base
import CSQLite
import GRDB

struct CatalogueFile {
  static let name = "catalogue.sqlite"
  static let applicationID: UInt32 = 0x7670_6174

  let path: String

  /// An open catalogue.
  struct Connection: Sendable {
    let queue: DatabaseQueue
    /// Why nothing can be written, or nil. If set, `queue` is a copy in memory.
    let obstacle: VPatchError?
  }

  /// Checks the file, opens it, and migrates its schema. SQLite must write files beside it even for reading. Where that
  /// is impossible (a full or read-only disk), a copy in memory is read.
  func open() throws -> Connection {
    try checkHeader()
    return try Self.translating(path) {
      do { return Connection(queue: try openFile(), obstacle: nil) } catch let error as DatabaseError {
        guard Self.isForLackOfWriting(error) else { throw error }
        return Connection(queue: try copy(), obstacle: Self.inWords(error, Path.parent(path)))
      }
    }
  }

  private func openFile() throws -> DatabaseQueue {
    let queue = try DatabaseQueue(path: path, configuration: Self.configuration)
    let version = try checkSchema(queue)
    guard try queue.read({ sqlite3_db_readonly($0.sqliteConnection, "main") }) == 0 else {
      throw DatabaseError(resultCode: .SQLITE_READONLY)
    }
    if version < Schema.version {
      // Under the lock, so that processes that began with the old schema have finished.
      let lock = try Store.lock(Path.parent(path))
      try withExtendedLifetime(lock) { try Schema.migrator.migrate(queue) }
    }
    return queue
  }

  /// A copy of the catalogue in memory, with the current schema.
  func copy() throws -> DatabaseQueue {
    let image = try CatalogueImage(path: path).bytes
    let queue = try DatabaseQueue(configuration: Self.configuration)
    try queue.writeWithoutTransaction { db in
      let count = sqlite3_int64(image.count)
      guard let buffer = sqlite3_malloc64(sqlite3_uint64(count)) else {
        throw VPatchError(.io, path, "cannot be read: SQLite is out of memory")
      }
      image.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      let code = sqlite3_deserialize(
        db.sqliteConnection, "main", buffer.assumingMemoryBound(to: UInt8.self), count, count,
        UInt32(SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE))
      guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
    if try checkSchema(queue) < Schema.version { try Schema.migrator.migrate(queue) }
    return queue
  }

  /// - Returns: the schema version.
  private func checkSchema(_ queue: DatabaseQueue) throws -> Int {
    try queue.read { db in
      let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
      try checkVersion(version)
      let expected = try Schema.make(version: version)
      guard try Schema.Object.all(db) == expected.read(Schema.Object.all) else {
        throw VPatchError(
          .invalid, path, "has tables, views or triggers that do not belong to a catalogue", remedy: Self.remedy)
      }
      return version
    }
  }

  /// Writes an empty catalogue, completely or not at all.
  static func create(_ path: String) throws {
    var image = try translating(path) {
      try Schema.make(version: Schema.version).read { db in
        var count: sqlite3_int64 = 0
        guard let bytes = sqlite3_serialize(db.sqliteConnection, "main", &count, 0) else {
          throw VPatchError(.io, path, "cannot be created: SQLite is out of memory")
        }
        defer { sqlite3_free(bytes) }
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
      }
    }
    // A database in memory has no WAL. The file gets one when it is first opened.
    image[18] = 2
    image[19] = 2
    let file = try OutputFile(path: path)
    try file.write(image, at: 0)
    try file.commit()
  }

  private func checkHeader() throws {
    guard try PathKind.of(path, followingLinks: false) == .file else {
      throw VPatchError(.invalid, path, "is not a regular file", remedy: "give another --store")
    }
    let file = try InputFile(path: path)
    guard file.size >= 512 else { throw VPatchError(.invalid, path, "is cut short", remedy: Self.remedy) }
    let header = try file.read(0..<100)
    func u32(_ offset: Int) -> UInt32 { header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    guard header[..<16].elementsEqual(Array("SQLite format 3".utf8) + [0]) else {
      throw VPatchError(.invalid, path, "is not an SQLite database", remedy: Self.remedy)
    }
    guard u32(68) == Self.applicationID, header[18] == 2, header[19] == 2 else {
      throw VPatchError(
        .invalid, path, "is an SQLite database of another program", remedy: "give another --store; it is unchanged")
    }
    try checkVersion(Int(u32(60)))
  }

  private func checkVersion(_ version: Int) throws {
    guard version <= Schema.version else {
      throw VPatchError(
        .refused, path,
        "was written by a later version of vpatch (schema \(version); this one supports up to \(Schema.version))",
        remedy: "use that version")
    }
    guard version > 0 else { throw VPatchError(.invalid, path, "has no schema version", remedy: Self.remedy) }
  }

  private static let remedy =
    "move it away and run vpatch fsck --repair: it creates a new catalogue from the patch files"

  static var configuration: Configuration {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = true
    configuration.busyMode = .timeout(10)
    configuration.prepareDatabase { db in
      let code = vp_sqlite_defend(db.sqliteConnection)
      guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
      // FULL: with NORMAL and a WAL, a power cut may lose the last transactions.
      try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON")
    }
    return configuration
  }

  /// Translates SQLite's errors into `VPatchError`.
  static func translating<T>(_ path: String, _ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as DamagedRow {
      throw VPatchError(.invalid, path, "has a catalogue with \(error.what)", remedy: "run vpatch fsck")
    } catch let error as DatabaseError { throw inWords(error, path) }
  }

  /// Whether a full or read-only disk may be the cause.
  private static func isForLackOfWriting(_ error: DatabaseError) -> Bool {
    switch error.resultCode {
    case .SQLITE_FULL, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_IOERR: true
    default: false
    }
  }

  /// - Parameter path: of the catalogue or its store.
  private static func inWords(_ error: DatabaseError, _ path: String) -> VPatchError {
    if isForLackOfWriting(error) {
      let reserve = Reserve(store: (try? PathKind.of(path)) == .directory ? path : Path.parent(path))
      if reserve.isOnReadOnlyDisk { return unwritable(path) }
      if error.resultCode == .SQLITE_FULL || reserve.isNeeded {
        return VPatchError(
          .io, path, "has no space left for its catalogue",
          remedy: "free some space, for example with 'vpatch gc' or 'vpatch delete-patch'; nothing was lost")
      }
    }
    let words = error.message ?? "SQLite error \(error.resultCode.rawValue)"
    return switch error.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      VPatchError(.invalid, path, "has a damaged catalogue: \(words)", remedy: remedy)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      VPatchError(.io, path, "is in use by another vpatch", remedy: "try again when that has ended")
    case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
      VPatchError(.io, path, "has a catalogue that cannot be opened: \(words)", remedy: "check the permissions")
    case .SQLITE_SCHEMA, .SQLITE_ERROR, .SQLITE_CONSTRAINT, .SQLITE_MISMATCH:
      VPatchError(.invalid, path, "has an invalid catalogue: \(words)", remedy: "run vpatch fsck")
    default: VPatchError(.io, path, "has a catalogue that cannot be read or written: \(words)")
    }
  }

  /// The error for a store on a read-only disk.
  static func unwritable(_ path: String) -> VPatchError {
    VPatchError(
      .io, path, "is on a file system that is mounted read-only, so nothing in it can be changed",
      remedy: "mount it writable, or give another --store")
  }
}
