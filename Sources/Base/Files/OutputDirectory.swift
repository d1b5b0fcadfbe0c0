import Glibc
import Synchronization

/// A folder that becomes visible under its final name only when all in it is whole.
package final class OutputDirectory: Sendable {
  package let path: String
  /// Where its files are written until `commit`.
  package let temporaryPath: String
  /// Open and locked (flock) for as long as it is being filled: one that nobody has locked was left by a killed process.
  private let descriptor: CInt
  private let isCommitted = Mutex(false)

  package init(path: String) throws {
    self.path = path
    var fd: CInt = -1
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be created") { name in
      guard mkdir(name, 0o777) == 0 else { return false }
      fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Until it is locked another process may take it for abandoned. A file system without locks does without.
      var info = stat()
      if fd >= 0, flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK, fstat(fd, &info) == 0, info.st_nlink > 0 {
        return true
      }
      let code = fd >= 0 ? EEXIST : errno
      if fd >= 0 { close(fd) } else { rmdir(name) }
      errno = code
      return false
    }
    descriptor = fd
  }

  deinit {
    if !isCommitted.withLock({ $0 }) { TemporaryFiles.discard(temporaryPath) }
    close(descriptor)
  }

  /// Gives the folder its name. An empty folder of that name is replaced, and keeps its owner and permissions.
  /// - Throws: `refused` where something else has that name.
  package func commit() throws {
    if let replaced = try FileStatus.of(path, followingLinks: false), replaced.st_mode & S_IFMT == S_IFDIR {
      try FileAttributes.copy(replaced, of: path, to: descriptor)
    }
    try Directory.syncOrFail(temporaryPath)
    try TemporaryFiles.uninterruptedRename(of: temporaryPath, to: path) {
      guard rename(temporaryPath, path) != 0 else { return }
      switch errno {
      case EEXIST, ENOTEMPTY, ENOTDIR: throw Directory.exists(path, remedy: "give another output")
      default: throw VPatchError.system(path, "cannot be given its name")
      }
    }
    isCommitted.withLock { $0 = true }
    try Directory.syncName(path)
  }
}
