import Glibc
import Synchronization

/// What would be left behind if the process were interrupted now.
///
/// `Ctrl-C` during a long apply must not leave gigabytes under a hidden name: the command line removes these
/// before it exits.
public enum TemporaryFiles {
  private static let paths = Mutex<Set<String>>([])

  /// Makes a hidden one in the same folder as `path`, known from its first moment on.
  /// - Parameters:
  ///   - failure: what to say of `path` where it cannot be made.
  ///   - make: is given a template that ends in XXXXXX, and says whether it could.
  /// - Returns: its path.
  static func create(
    beside path: String, _ failure: String, _ make: (UnsafeMutablePointer<CChar>) -> Bool
  ) throws -> String {
    var template = Array(Path.join(Path.parent(path), ".\(Path.name(path).prefixBytes(200)).vpatch-XXXXXX").utf8CString)
    return try paths.withLock { paths in
      guard make(&template) else { throw VPatchError.system(path, failure) }
      let made = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      paths.insert(made)
      return made
    }
  }

  static func remove(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Deletes them all and ends the process; meanwhile no thread can make another.
  public static func deleteAll(andExit code: CInt) -> Never {
    paths.withLock { paths in
      for path in paths { delete(path) }
      _exit(code)
    }
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
