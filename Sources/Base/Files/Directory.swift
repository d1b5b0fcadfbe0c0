import CSystem
import Glibc

/// Operations on folders and on the names in them.
package enum Directory {
  /// Makes renames, new names and deletions in the folder durable (fsync). Ignores failure.
  package static func sync(_ path: String) { try? syncOrFail(path) }

  /// Like `sync`, where later steps rely on it.
  /// - Throws: `io` where the disk fails. A file system that cannot sync folders is no error.
  package static func syncOrFail(_ path: String) throws {
    let fd = Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if fd < 0, errno == EACCES {
      // The folder is writable but not readable, so it cannot be opened for fsync. sync(2) writes everything.
      return Glibc.sync()
    }
    guard fd >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    defer { close(fd) }
    while fsync(fd) != 0 {
      switch errno {
      case EINTR: continue
      case EINVAL, ENOTSUP, EROFS: return
      default: throw VPatchError.system(path, "cannot be made durable")
      }
    }
  }

  /// Makes the name of a complete file durable.
  /// - Throws: `io` where the disk fails. The error says that the file has its name.
  static func syncName(_ path: String) throws {
    do { try syncOrFail(Path.parent(path)) } catch let error as VPatchError {
      throw VPatchError(error.code, path, "is written, but a power cut may undo that: its folder \(error.reason)")
    }
  }

  /// Removes a file's name. A missing file is no error.
  package static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw VPatchError.system(path, "cannot be removed") }
  }

  /// Renames a file.
  /// - Parameter replacing: whether it replaces a file that already has the new name.
  /// - Throws: `refused` where the new name is taken and must not be replaced; `io`.
  package static func rename(_ path: String, to other: String, replacing: Bool = true) throws {
    guard !replacing else {
      guard Glibc.rename(path, other) == 0 else { throw VPatchError.system(other, "cannot be renamed into place") }
      return
    }
    if vp_rename_no_replace(path, other) == 0 { return }
    if errno == EINVAL || errno == ENOSYS {
      // A file system without that call. A hard link never replaces a file either.
      if link(path, other) == 0 {
        unlink(path)
        return
      }
      if errno != EEXIST, try PathKind.of(other, followingLinks: false) == .missing {
        return try rename(path, to: other)
      }
      throw exists(other)
    }
    throw errno == EEXIST ? exists(other) : VPatchError.system(other, "cannot be renamed into place")
  }

  /// Checks that a file can be replaced or removed. Call it before a decision that depends on it.
  /// - Throws: `refused` where that is impossible; `io` where the file cannot be examined.
  package static func requireReplaceable(_ path: String) throws {
    let reason: String
    switch vp_keeps_its_name(path, Path.parent(path)) {
    case 0: return
    case 1: reason = "belongs to another user, in a folder where only the owner of a file may replace it"
    case 2: reason = "is immutable or append-only (chattr +i or +a), or its folder is"
    case 3: reason = "is a mount point"
    default: throw VPatchError.system(path, "cannot be examined")
    }
    throw VPatchError(.refused, path, reason, remedy: "nothing was changed: fix the cause, then run the command again")
  }

  /// Renames whatever has a name to NAME.set-aside-N, so that the name is free.
  /// - Returns: its new name.
  package static func setAside(_ name: String, in folder: String, as visible: String? = nil) throws -> String {
    for n in 1... {
      let other = (visible ?? name).prefixBytes(200) + ".set-aside-\(n)"
      do {
        try rename(Path.join(folder, name), to: Path.join(folder, other), replacing: false)
        return other
      } catch let error as VPatchError where error.code == .refused {}
    }
    preconditionFailure("there is always a next number")
  }

  /// The error for a name that is taken.
  package static func exists(_ path: String, remedy: String = "use --force to replace it") -> VPatchError {
    VPatchError(.refused, path, "already exists", remedy: remedy)
  }

  /// Creates folders and their missing parents, durably. An existing folder is not changed, but its name is made
  /// durable too: the process that created it may have been killed before its fsync.
  package static func make(_ paths: String...) throws { try make(paths) }

  package static func make(_ paths: [String]) throws {
    var parents = Set(paths.map(Path.parent))
    for path in paths { try make(path, &parents) }
    // All parents at the end: on most file systems each fsync after a change waits for the disk.
    for parent in parents.sorted() { try syncOrFail(parent) }
  }

  private static func make(_ path: String, _ parents: inout Set<String>) throws {
    guard try PathKind.of(path) != .directory else { return }
    let parent = Path.parent(path)
    if parent != path { try make(parent, &parents) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw VPatchError.system(path, "cannot be created") }
    guard try PathKind.of(path) == .directory else {
      throw VPatchError(.io, path, "is a file, but a folder is needed here")
    }
    parents.insert(parent)
  }
}
