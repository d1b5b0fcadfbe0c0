import ArgumentParser
import Base
import Catalogue
import Glibc
import PatchFormat
import Synchronization

/// What takes patches by their names in the store.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The folder of the store. (default: $VPATCH_STORE, else ~/.local/share/vpatch)", valueName: "dir"))
  var store: String?

  func path() throws -> String { try store ?? Store.defaultPath() }

  func open(create: Bool = false) throws -> Store { try OpenStores.open(path(), create: create) }

  /// The store, where there is one.
  func existing() throws -> Store? { try Store.isThere(path()) ? open() : nil }
}

/// The stores of this process: each is opened once, whoever asks for it, since opening one checks its whole schema.
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

  /// Lets go of them, so that nothing is left beside their catalogues.
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
  /// The path from the root on, links resolved as far as there is something.
  static func absolute(_ path: String) throws -> String {
    // What is not there yet is in a folder that is.
    if let resolved = try resolvedIfAny(path) ?? resolvedIfAny(parent(path)).map({ join($0, name(path)) }) {
      return resolved
    }
    guard path.utf8.first != UInt8(ascii: "/"), let here = try resolvedIfAny(".") else { return path }
    return join(here, path)
  }

  /// A path from the root on as one would type it here, if it lies in the current folder.
  static func fromHere(_ path: String) -> String {
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    let here = join(String(cString: folder), "")
    return path.utf8.starts(with: here.utf8) ? String(Substring(path.utf8.dropFirst(here.utf8.count))) : path
  }
}
