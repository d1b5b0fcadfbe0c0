import Glibc
import Synchronization

/// An output folder that gets its final name only when all files in it are complete.
package final class OutputDirectory: Sendable {
  package let path: String
  /// Where its files are written before `commit`.
  package let temporaryPath: String
  /// Open and locked (flock) while the folder is filled. A temporary folder without a lock was left by a killed
  /// process.
  private let descriptor: CInt
  private let isCommitted = Mutex(false)

  package init(path: String) throws {
    self.path = path
    var fd: CInt = -1
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be created") { name in
      guard mkdir(name, 0o777) == 0 else { return false }
      fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Before it is locked, another process may delete it as abandoned. Without lock support it counts as locked.
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

  /// Gives the folder its final name. An empty folder of that name is replaced; its owner and permissions are kept.
  /// - Throws: `refused` where the name is taken by anything else; `io`.
  package func commit() throws {
    if let replaced = try FileStatus.of(path, followingLinks: false), replaced.st_mode & S_IFMT == S_IFDIR {
      try FileAttributes.copy(replaced, of: path, to: descriptor)
    }
    try Directory.syncOrFail(temporaryPath)
    try TemporaryFiles.uninterruptedRename(of: temporaryPath, to: path) {
      guard rename(temporaryPath, path) != 0 else { return }
      switch errno {
      case EEXIST, ENOTEMPTY, ENOTDIR: throw Directory.exists(path, remedy: "give another output")
      default: throw VPatchError.system(path, "cannot be renamed into place")
      }
    }
    isCommitted.withLock { $0 = true }
    try Directory.syncName(path)
  }
}
