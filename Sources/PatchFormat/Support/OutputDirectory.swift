import Glibc
import Synchronization

/// A folder that becomes visible under its final name only when all in it is whole.
public final class OutputDirectory: Sendable {
  public let path: String
  /// Where its files are written until `commit`.
  public let temporaryPath: String
  private let isCommitted = Mutex(false)

  public init(path: String) throws {
    self.path = path
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be created") { mkdir($0, 0o777) == 0 }
  }

  deinit {
    if !isCommitted.withLock({ $0 }) { TemporaryFiles.discard(temporaryPath) }
  }

  /// Gives the folder its name. An empty folder of that name is replaced, and keeps its owner and permissions.
  /// - Throws: `refused` where something else has that name.
  public func commit() throws {
    if let replaced = try FileStatus.of(path, followingLinks: false), replaced.st_mode & S_IFMT == S_IFDIR {
      let fd = open(temporaryPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard fd >= 0 else { throw VPatchError.system(path, "cannot be given its name") }
      defer { close(fd) }
      try FileAttributes.copy(replaced, of: path, to: fd)
    }
    try Directory.syncOrFail(temporaryPath)
    try TemporaryFiles.uninterruptedRename(of: temporaryPath) {
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
