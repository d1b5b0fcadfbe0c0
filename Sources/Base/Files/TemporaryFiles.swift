import Glibc
import Synchronization

/// The temporary files of this process, and abandoned ones of others.
///
/// `Ctrl-C` during a long apply must not leave gigabytes under a hidden name, so the command line deletes these files
/// before it exits.
package enum TemporaryFiles {
  private static let state = Mutex(State())

  private struct State {
    var paths: Set<String> = []
    /// How many operations must not be interrupted any more.
    var committed = 0
    /// The files and folders that the process will write and that do not have their final names yet.
    var results: Set<String> = []
    /// All results have their names. An interrupt no longer ends the process; the rest of the work is short.
    var isDone = false
    /// An interrupt arrived after `isDone`.
    var wasAsked = false
    /// Signals that end the process through `deleteAll`, which another thread calls.
    var ending: [CInt] = []

    /// One of these signals is pending. That thread will handle it.
    var isEnding: Bool {
      guard committed == 0, !isDone || wasAsked, !ending.isEmpty else { return false }
      var pending = sigset_t()
      sigpending(&pending)
      return ending.contains { sigismember(&pending, $0) == 1 }
    }
  }

  /// Registers the signals on which a waiting thread ends the process; all threads block them. As soon as one is
  /// pending, no file gets its final name any more, however long the waiting thread takes.
  package static func endsProcess(on signals: [CInt]) { state.withLock { $0.ending = signals } }

  /// Creates a hidden file or folder in the same folder as `path`, registered for deletion from the start.
  /// - Parameters:
  ///   - failure: the error text about `path` if it cannot be created.
  ///   - make: creates it under the given name and returns whether that worked; `errno` is EEXIST where the name is
  ///     taken.
  /// - Returns: its path.
  package static func create(beside path: String, _ failure: String, _ make: (String) -> Bool) throws -> String {
    let folder = Path.parent(path)
    return try state.withLock { state in
      for _ in 0..<100 {
        let candidate = Path.join(folder, TemporaryName.random(for: Path.name(path)))
        if make(candidate) {
          state.paths.insert(candidate)
          return candidate
        }
        guard errno == EEXIST || errno == EINTR else { break }
      }
      throw VPatchError.system(path, failure)
    }
  }

  /// A random name for a temporary file, unlikely to be taken.
  /// - Parameter final: the name that the file will get.
  package static func name(for final: String) -> String { TemporaryName.random(for: final) }

  /// Deletes a temporary file that is no longer needed.
  static func discard(_ path: String) {
    delete(path)
    forget(path)
  }

  /// Removes a file from the register: other code has renamed it or will.
  package static func forget(_ path: String) { state.withLock { _ = $0.paths.remove(path) } }

  /// Registers a result of the process. Once all results have their names, an interrupt no longer ends the process, so
  /// that the exit code tells what exists.
  package static func expect(result path: String) { state.withLock { _ = $0.results.insert(path) } }

  /// Marks the work of the process as done.
  package static func isDone() { state.withLock { $0.isDone = true } }

  /// Renames a file to its final name. An interrupt takes effect before or after that, and never deletes a file that
  /// has its final name.
  static func uninterruptedRename(of path: String, to final: String, _ rename: () throws -> Void) throws {
    let isDone = try state.withLock { state in
      guard !state.isEnding else { return false }
      try rename()
      state.paths.remove(path)
      if state.results.remove(final) != nil, state.results.isEmpty { state.isDone = true }
      return true
    }
    while !isDone { pause() }
  }

  /// Deletes all temporary files and ends the process; meanwhile no thread can create new ones. Returns instead if an
  /// operation must not be interrupted, and at the first call if all results have their names: the work then finishes.
  /// - Parameter last: called before the process ends, with the results that do not exist now.
  package static func deleteAll(andExit code: CInt, last: (_ missing: [String]) -> Void = { _ in }) {
    state.withLock { state in
      guard state.committed == 0 else { return }
      if state.isDone, !state.wasAsked {
        state.wasAsked = true
        return
      }
      for path in state.paths { delete(path) }
      last(state.results.sorted())
      _exit(code)
    }
  }

  /// Runs `body`, which an interrupt must not stop.
  package static func uninterrupted<R>(_ body: () throws -> R) rethrows -> R {
    state.withLock { $0.committed += 1 }
    defer { state.withLock { $0.committed -= 1 } }
    return try body()
  }

  package static func delete(_ path: String) {
    if rmdir(path) == 0 || unlink(path) == 0 { return }
    for name in (try? Path.entries(of: path)) ?? [] { delete(Path.join(path, name)) }
    rmdir(path)
  }

  /// Removes the temporary files and folders that killed processes left in a folder. Running processes hold locks on
  /// theirs.
  /// - Parameter names: the final names whose temporary files are removed; nil for all.
  /// - Returns: how many were removed.
  package static func removeAbandoned(in folder: String, of names: [String]?) throws -> Int {
    var count = 0
    for name in try temporaries(in: folder, of: names) {
      let path = Path.join(folder, name)
      let kind = try PathKind.of(path, followingLinks: false)
      if kind == .directory, removeAbandonedFolder(path) { count += 1 }
      guard kind == .file, !FileLock.isTaken(path) else { continue }
      // Locked while it is removed: a process that has just created it and not locked it yet then creates another one.
      // A file that cannot be locked (of another user, or on a file system without locks) is left.
      guard let file = try? InPlaceFile(path: path), (try? file.lock()) == true else { continue }
      try Directory.remove(path)
      count += 1
    }
    return count
  }

  /// Renames abandoned temporary files to names that are not temporary.
  /// - Returns: their names before and after.
  package static func setAsideAbandoned(in folder: String, of names: [String]?) throws -> [(name: String, now: String)]
  {
    try temporaries(in: folder, of: names).filter { name in
      let path = Path.join(folder, name)
      return try PathKind.of(path, followingLinks: false) == .file && !FileLock.isTaken(path)
    }.map {
      ($0, try Directory.setAside($0, in: folder, as: TemporaryName.final(of: $0)))
    }
  }

  /// See `OutputDirectory`: locked while it is removed, as files are.
  private static func removeAbandonedFolder(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
    delete(path)
    return true
  }

  private static func temporaries(in folder: String, of names: [String]?) throws -> [String] {
    try Path.entries(of: folder, skippingUndecodable: true).filter { name in
      names.map { $0.contains { isTemporary(name, of: $0) } } ?? isTemporary(name)
    }
  }

  /// Whether a name has the form of a temporary name of vpatch.
  /// - Parameter final: the name that the file was to get; nil for any.
  package static func isTemporary(_ name: String, of final: String? = nil) -> Bool {
    TemporaryName.isOne(name) && (final.map { TemporaryName.prefix(for: $0) == TemporaryName.prefix(of: name) } ?? true)
  }

  /// Whether this or an earlier version creates such names. Only for folders that contain no files of users.
  package static func isTemporaryOfAnyVersion(_ name: String) -> Bool { TemporaryName.isOneOfAnyVersion(name) }
}
