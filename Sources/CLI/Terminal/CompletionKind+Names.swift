import ArgumentParser
import Base
import Catalogue
import Glibc
import Workspace

/// What a shell offers for an argument that names a patch or a stack: the names in the store, and files.
extension CompletionKind {
  static var patches: CompletionKind { names { try aliases($0) } }
  static var stacks: CompletionKind { names { try $0.stacks().map(\.name) } }
  static var patchesAndStacks: CompletionKind { names { try aliases($0) + $0.stacks().map(\.name) } }

  private static func aliases(_ store: Store) throws -> [String] { try store.aliases().map(\.name) }

  private static func names(_ names: @escaping @Sendable (Store) throws -> [String]) -> CompletionKind {
    .custom { words, _, prefix in
      // A completion must never fail or print anything: without a store there are only files.
      let folder = words.firstIndex(of: "--store").flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
      let store = try? StoreLocation(folder).existing()
      return ((try? store.map(names)) ?? []) + files(prefix)
    }
  }

  /// Files and folders whose paths begin so.
  private static func files(_ prefix: String) -> [String] {
    let folder = prefix.contains("/") ? Path.parent(prefix) : "."
    let entries = (try? Path.entries(of: folder, skippingUndecodable: true)) ?? []
    return entries.filter { !$0.hasPrefix(".") }.map { name in
      let path = folder == "." && !prefix.hasPrefix("./") ? name : Path.join(folder, name)
      return (try? PathKind.of(path)) == .directory ? path + "/" : path
    }.filter { $0.hasPrefix(prefix) }
  }
}
