import Catalogue
import Synchronization

/// Where the store of a workspace is. Opening a store checks its whole schema, so each is opened once per process.
package struct StoreLocation: Sendable {
  /// The store's folder; nil: `Store.defaultPath()`.
  private let folder: String?

  private static let stores = Mutex<[String: Store]>([:])

  /// - Parameter folder: nil for `Store.defaultPath()`.
  package init(_ folder: String? = nil) { self.folder = folder }

  /// - Throws: `refused` if no folder was given and the environment names no home.
  package func path() throws -> String { try folder ?? Store.defaultPath() }

  /// - Parameter create: make the store if it does not exist.
  /// - Throws: as `Store.init`.
  package func open(create: Bool = false) throws -> Store {
    let path = try path()
    return try Self.stores.withLock { stores in
      if let store = stores[path] { return store }
      let store = try Store(path: path, create: create)
      stores[path] = store
      return store
    }
  }

  /// The store, if it exists.
  package func existing() throws -> Store? { try Store.isThere(path()) ? open() : nil }

  /// Releases all stores of this process, so that nothing is left beside their catalogues.
  package static func closeAll() {
    stores.withLock { stores in
      for store in stores.values { store.release() }
      stores = [:]
    }
  }
}
