import Glibc

/// What is done to folders as such.
public enum Directory {
  /// Makes a rename, a new name or a deletion in the folder durable, as far as the folder can.
  public static func sync(_ path: String) { try? syncOrFail(path) }

  /// The same, where what follows relies on it.
  /// - Throws: `io` where the disk fails. A file system that cannot sync folders is left to its own promises.
  public static func syncOrFail(_ path: String) throws {
    let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    defer { close(fd) }
    guard fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS else {
      throw VPatchError.system(path, "cannot be made durable")
    }
  }

  /// Takes a file's name away; it is no error where nothing has that name.
  public static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw VPatchError.system(path, "cannot be removed") }
  }

  /// Gives a file another name, in place of what has that name.
  public static func rename(_ path: String, to other: String) throws {
    guard Glibc.rename(path, other) == 0 else { throw VPatchError.system(other, "cannot be given its name") }
  }

  /// Makes folders, durably, and those above them that are missing. One that is there already is left as it is.
  public static func make(_ paths: String...) throws { try make(paths) }

  public static func make(_ paths: [String]) throws {
    var parents: Set<String> = []
    for path in paths { try make(path, &parents) }
    // Once for all: on most file systems each sync that follows a change waits for the disk.
    for parent in parents.sorted() { sync(parent) }
  }

  private static func make(_ path: String, _ parents: inout Set<String>) throws {
    guard PathKind.of(path) != .directory else { return }
    let parent = Path.parent(path)
    if parent != path { try make(parent, &parents) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw VPatchError.system(path, "cannot be made") }
    guard PathKind.of(path) == .directory else { throw VPatchError(.io, path, "is a file where a folder has to be") }
    parents.insert(parent)
  }
}
