import Glibc
import Synchronization

/// What would be left behind if the process were interrupted now, and what others left.
///
/// `Ctrl-C` during a long apply must not leave gigabytes under a hidden name: the command line removes these
/// before it exits.
public enum TemporaryFiles {
  private static let state = Mutex(State())

  private struct State {
    var paths: Set<String> = []
    /// How many pieces of work are past the point up to which they may be interrupted.
    var committed = 0
  }

  /// Makes a hidden one in the same folder as `path`, known from its first moment on.
  /// - Parameters:
  ///   - failure: what to say of `path` where it cannot be made.
  ///   - make: is given a template that ends in XXXXXX, and says whether it could.
  /// - Returns: its path.
  static func create(
    beside path: String, _ failure: String, _ make: (UnsafeMutablePointer<CChar>) -> Bool
  ) throws -> String {
    var template = Array(Path.join(Path.parent(path), prefix(for: Path.name(path)) + "XXXXXX").utf8CString)
    return try state.withLock { state in
      guard make(&template) else { throw VPatchError.system(path, failure) }
      let made = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      state.paths.insert(made)
      return made
    }
  }

  private static let mark = ".vpatch-"

  private static func prefix(for name: String) -> String { ".\(name.prefixBytes(200))\(mark)" }

  static func remove(_ path: String) { state.withLock { _ = $0.paths.remove(path) } }

  /// Deletes them all and ends the process; meanwhile no thread can make another. Returns where something is past the
  /// point up to which it may be interrupted: that comes to its end.
  public static func deleteAll(andExit code: CInt) {
    state.withLock { state in
      guard state.committed == 0 else { return }
      for path in state.paths { delete(path) }
      _exit(code)
    }
  }

  /// Does what must not be stopped by an interruption once it has begun.
  public static func uninterrupted<R>(_ body: () throws -> R) rethrows -> R {
    state.withLock { $0.committed += 1 }
    defer { state.withLock { $0.committed -= 1 } }
    return try body()
  }

  static func delete(_ path: String) {
    if PathKind.of(path, followingLinks: false) == .directory {
      for name in (try? Path.entries(of: path)) ?? [] { delete(Path.join(path, name)) }
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  /// Removes the temporary files that killed processes left in a folder. What a living process writes is locked.
  /// - Parameter names: the files that they were to become; nil for any.
  /// - Returns: how many there were.
  public static func removeAbandoned(in folder: String, of names: [String]?) throws -> Int {
    let prefixes = names?.map { Array(prefix(for: $0).utf8) }
    var count = 0
    for name in try Path.entries(of: folder) where isTemporary(name) {
      let path = Path.join(folder, name)
      guard prefixes?.contains(where: { name.utf8.count == $0.count + 6 && name.utf8.starts(with: $0) }) ?? true,
        PathKind.of(path, followingLinks: false) == .file, !FileLock.isTaken(path)
      else { continue }
      try Directory.remove(path)
      count += 1
    }
    return count
  }

  /// Whether a name has the form of those made here.
  static func isTemporary(_ name: String) -> Bool {
    name.utf8.count > 7 + mark.utf8.count && name.utf8.first == UInt8(ascii: ".")
      && name.utf8.dropLast(6).suffix(mark.utf8.count).elementsEqual(mark.utf8)
      && name.utf8.suffix(6).allSatisfy { (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) }
  }
}
