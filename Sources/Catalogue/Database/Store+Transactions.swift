import Base
import GRDB

/// Access to a store: the catalogue in transactions, files under the lock.
extension Store {
  var queue: DatabaseQueue { connection.withLock { $0.queue } }

  /// Why nothing can be written, or nil.
  var obstacle: VPatchError? { connection.withLock { $0.obstacle } }

  /// Reads one consistent state.
  func read<T>(_ body: (Database) throws -> T) throws -> T {
    try CatalogueFile.translating(path) { try queue.read(body) }
  }

  /// Runs one IMMEDIATE transaction: concurrent processes wait for each other instead of failing midway.
  func write<T>(_ body: (Database) throws -> T) throws -> T {
    if let obstacle { throw obstacle }
    return try CatalogueFile.translating(path) { try queue.write(body) }
  }

  /// Like `write`, for data that are worthless after a power cut: does not wait for the disk.
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

  // MARK: The lock

  /// Runs `body` while no other process changes files of the store. Must not be nested.
  func locked<T>(_ body: () throws -> T) throws -> T {
    if let obstacle { throw obstacle }
    let lock = try Self.lock(path)
    return try withExtendedLifetime(lock) {
      defer { Reserve(store: path).take() }
      return try body()
    }
  }

  /// Like `locked`, for reading. On a read-only disk no lock is needed.
  func lockedToLook<T>(_ body: () throws -> T) throws -> T {
    if Reserve(store: path).isOnReadOnlyDisk { return try body() }
    let lock = try Self.lock(path)
    return try withExtendedLifetime(lock, body)
  }

  /// Like `locked`, for deletions: on a full disk the reserve is freed. `body` may be called twice.
  /// - Parameter isFull: whether the first attempt failed because the disk was full.
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

  /// Runs one transaction that deletes something. It also works on a full disk. `body` may be called twice.
  func writeToDelete<T>(_ body: (Database) throws -> T) throws -> T { try lockedToDelete { _ in try write(body) } }

  static func lock(_ path: String) throws -> WaitingLock { try WaitingLock(Path.join(path, "lock"), subject: path) }
}
