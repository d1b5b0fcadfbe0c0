import Glibc

/// The kind of file at a path.
package enum PathKind: Sendable, Equatable {
  case missing, file, directory, symbolicLink, other

  /// Examines a path. `missing` only if the system reports that there is nothing. Any other failure is an error, since
  /// a decision to write or delete may depend on the answer.
  /// - Parameter followingLinks: whether a symbolic link counts as its target. A link that leads nowhere is always
  ///   `symbolicLink`, since the name is taken.
  /// - Throws: `io` where the path cannot be examined.
  package static func of(_ path: String, followingLinks: Bool = true) throws -> PathKind {
    if followingLinks, let info = try FileStatus.of(path, followingLinks: true) { return kind(info) }
    guard let info = try FileStatus.of(path, followingLinks: false) else { return .missing }
    return kind(info)
  }

  private static func kind(_ info: stat) -> PathKind {
    switch info.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .directory
    case S_IFLNK: .symbolicLink
    default: .other
    }
  }
}

/// File status (stat).
enum FileStatus {
  /// - Returns: nil if there is no file of that name.
  /// - Throws: `io` for any other failure.
  package static func of(_ path: String, followingLinks: Bool) throws -> stat? {
    var info = stat()
    while (followingLinks ? stat(path, &info) : lstat(path, &info)) != 0 {
      if errno == EINTR { continue }
      if errno == ENOENT { return nil }
      throw VPatchError.system(path, "cannot be examined")
    }
    return info
  }

  package static func of(_ descriptor: CInt, _ path: String) throws -> stat {
    var info = stat()
    while fstat(descriptor, &info) != 0 {
      if errno == EINTR { continue }
      throw VPatchError.system(path, "cannot be examined")
    }
    return info
  }
}

/// Identifies a file independently of its name.
package struct FileIdentity: Hashable, Sendable {
  package let device: UInt64
  package let inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  init(_ info: stat) { self.init(device: UInt64(info.st_dev), inode: UInt64(info.st_ino)) }

  /// - Returns: nil if there is no file of that name. Follows symbolic links.
  package static func of(_ path: String) throws -> FileIdentity? {
    try FileStatus.of(path, followingLinks: true).map { FileIdentity($0) }
  }
}

/// A file's identity, length and times. It changes when the file is written to.
package struct FileState: Hashable, Sendable {
  package let identity: FileIdentity
  package let size: Int
  /// Number of hard links.
  package let linkCount: Int
  private let modified, changed: [Int]

  package init(_ info: stat) {
    identity = FileIdentity(info)
    size = Int(info.st_size)
    linkCount = Int(info.st_nlink)
    modified = [info.st_mtim.tv_sec, info.st_mtim.tv_nsec]
    // The change time. Unlike the modification time, programs cannot set it.
    changed = [info.st_ctim.tv_sec, info.st_ctim.tv_nsec]
  }

  /// - Returns: nil if there is no file of that name. Follows symbolic links.
  package static func of(_ path: String) throws -> FileState? {
    try FileStatus.of(path, followingLinks: true).map { FileState($0) }
  }

  /// Whether the bytes are unchanged, as far as times show. Renames and changed permissions do not count.
  package func hasSameBytes(as other: FileState) -> Bool {
    identity == other.identity && size == other.size && modified == other.modified
  }
}
