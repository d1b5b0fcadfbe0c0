import ArgumentParser
import Base
import Catalogue
import Glibc
import PatchFormat
import Synchronization

/// The options of commands that take patches by their names in the store.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Store folder. (default: $VPATCH_STORE, else ~/.local/share/vpatch)", valueName: "dir"))
  var store: String?

  func path() throws -> String { try store ?? Store.defaultPath() }

  func open(create: Bool = false) throws -> Store { try OpenStores.open(path(), create: create) }

  /// The store, if there is one.
  func existing() throws -> Store? { try Store.isThere(path()) ? open() : nil }
}

/// The stores of this process. Each is opened only once, since opening checks the whole schema.
enum OpenStores {
  private static let stores = Mutex<[String: Store]>([:])

  fileprivate static func open(_ path: String, create: Bool) throws -> Store {
    try stores.withLock { stores in
      if let store = stores[path] { return store }
      let store = try Store(path: path, create: create)
      stores[path] = store
      return store
    }
  }

  /// Closes them, so that no files are left beside their catalogues.
  static func close() {
    stores.withLock { stores in
      for store in stores.values { store.release() }
      stores = [:]
    }
  }
}

extension PatchName {
  /// The patch that an argument means: a file's, or by name.
  init(_ text: String) throws {
    self = try Patch.looksLikePatch(path: text) ? .identity(Patch(path: text).identity) : .typed(text)
  }
}

extension Store {
  /// The patch that an argument means: a file's, or by name.
  func identity(_ text: String) throws -> ContentDigest {
    switch try PatchName(text) {
    case .identity(let identity): identity
    case .typed(let text): try resolve(text)
    }
  }
}

extension Path {
  /// The absolute path, with links resolved as far as the path exists.
  static func absolute(_ path: String) throws -> String {
    // A missing file may be in an existing folder.
    if let resolved = try resolvedIfAny(path) ?? resolvedIfAny(parent(path)).map({ join($0, name(path)) }) {
      return resolved
    }
    guard path.utf8.first != UInt8(ascii: "/"), let here = try resolvedIfAny(".") else { return path }
    return join(here, path)
  }

  /// An absolute path as typed from the current folder, if it is inside it.
  static func fromHere(_ path: String) -> String {
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    let here = join(String(cString: folder), "")
    return path.utf8.starts(with: here.utf8) ? String(Substring(path.utf8.dropFirst(here.utf8.count))) : path
  }
}
