import Glibc
import Synchronization

/// What would be left behind if the process were interrupted now, and what others left.
///
/// `Ctrl-C` during a long apply must not leave gigabytes under a hidden name: the command line removes these
/// before it exits.
package enum TemporaryFiles {
  private static let state = Mutex(State())

  private struct State {
    var paths: Set<String> = []
    /// How many pieces of work are past the point up to which they may be interrupted.
    var committed = 0
    /// The files and folders that the process is there to write, and that have not got their names yet.
    var results: Set<String> = []
    /// They have got them: an interruption comes too late, and what is left of the work is short.
    var isDone = false
    /// One has come since then.
    var wasAsked = false
    /// Signals that end the process by `deleteAll`, which another thread calls.
    var ending: [CInt] = []

    /// One of them has come, and that thread will see to it.
    var isEnding: Bool {
      guard committed == 0, !isDone || wasAsked, !ending.isEmpty else { return false }
      var pending = sigset_t()
      sigpending(&pending)
      return ending.contains { sigismember(&pending, $0) == 1 }
    }
  }

  /// Says by which signals a thread that waits for them ends the process; all threads have them blocked. From the moment
  /// that one of them is there nothing gets its name, however long the waiting thread takes.
  package static func endsProcess(on signals: [CInt]) { state.withLock { $0.ending = signals } }

  /// Makes a hidden one in the same folder as `path`, known from its first moment on.
  /// - Parameters:
  ///   - failure: what to say of `path` where it cannot be made.
  ///   - make: makes it under the name it is given, and says whether it could; `errno` is EEXIST where that is taken.
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

  /// A name that a temporary file may have, which nothing is likely to have.
  /// - Parameter final: the name that the file is to get.
  package static func name(for final: String) -> String { TemporaryName.random(for: final) }

  /// Deletes one that is not needed any more.
  static func discard(_ path: String) {
    delete(path)
    forget(path)
  }

  /// It has got its name from somebody else, or is to get it later.
  package static func forget(_ path: String) { state.withLock { _ = $0.paths.remove(path) } }

  /// Says what the process is there to write. When all of it has its name, an interruption comes too late: the exit code
  /// is to say what is there.
  package static func expect(result path: String) { state.withLock { _ = $0.results.insert(path) } }

  /// Says that what the process was to do is done, in whatever way.
  package static func isDone() { state.withLock { $0.isDone = true } }

  /// Gives one its name; an interruption comes before that or after it, and never deletes what has its name.
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

  /// Deletes them all and ends the process; meanwhile no thread can make another. Returns where something is past the
  /// point up to which it may be interrupted, and the first time when the results are there: that comes to its end.
  package static func deleteAll(andExit code: CInt) {
    state.withLock { state in
      guard state.committed == 0 else { return }
      if state.isDone, !state.wasAsked {
        state.wasAsked = true
        return
      }
      for path in state.paths { delete(path) }
      _exit(code)
    }
  }

  /// Does what must not be stopped by an interruption once it has begun.
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

  /// Removes the temporary files and folders that killed processes left in a folder. What a living process writes is
  /// locked.
  /// - Parameter names: the files that they were to become; nil for any.
  /// - Returns: how many there were.
  package static func removeAbandoned(in folder: String, of names: [String]?) throws -> Int {
    var count = 0
    for name in try temporaries(in: folder, of: names) {
      let path = Path.join(folder, name)
      let kind = try PathKind.of(path, followingLinks: false)
      if kind == .directory, removeAbandonedFolder(path) { count += 1 }
      guard kind == .file, !FileLock.isTaken(path) else { continue }
      // Held while it is removed: who has just made it and not locked it yet makes another then. One that cannot be held,
      // of another user or on a file system without locks, is left.
      guard let file = try? InPlaceFile(path: path), (try? file.lock()) == true else { continue }
      try Directory.remove(path)
      count += 1
    }
    return count
  }

  /// Keeps them, under names that are no temporary ones.
  /// - Returns: the names that they had and have.
  package static func setAsideAbandoned(in folder: String, of names: [String]?) throws -> [(name: String, now: String)] {
    try temporaries(in: folder, of: names).filter { name in
      let path = Path.join(folder, name)
      return try PathKind.of(path, followingLinks: false) == .file && !FileLock.isTaken(path)
    }.map {
      ($0, try Directory.setAside($0, in: folder, as: TemporaryName.final(of: $0)))
    }
  }

  /// See `OutputDirectory`: held while it is removed, as files are.
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

  /// Whether a name is one of those made here, and of no other program or person.
  /// - Parameter final: the name that the file was to get; nil for any.
  package static func isTemporary(_ name: String, of final: String? = nil) -> Bool {
    TemporaryName.isOne(name) && (final.map { TemporaryName.prefix(for: $0) == TemporaryName.prefix(of: name) } ?? true)
  }

  /// Whether this or an earlier version gives such names: for folders in which nobody has files of their own.
  package static func isTemporaryOfAnyVersion(_ name: String) -> Bool { TemporaryName.isOneOfAnyVersion(name) }
}
