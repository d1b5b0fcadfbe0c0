import Glibc
import Synchronization

/// What would be left behind if the process were interrupted now.
///
/// `Ctrl-C` during a long apply must not leave gigabytes under a hidden name: the command line removes these
/// before it exits.
public enum TemporaryFiles {
  private static let paths = Mutex<Set<String>>([])

  static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }
  static func remove(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Deletes them all. To be called right before the process ends.
  public static func deleteAll() {
    let all = paths.withLock { $0 }
    for path in all { delete(path) }
  }

  static func delete(_ path: String) {
    if PathKind.of(path, followingLinks: false) == .directory {
      for name in (try? Path.entries(of: path)) ?? [] { delete(Path.join(path, name)) }
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
