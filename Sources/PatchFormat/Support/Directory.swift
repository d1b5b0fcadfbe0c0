import Glibc

/// What is done to folders as such.
public enum Directory {
  /// Makes a rename, a new name or a deletion in the folder durable. A file system that cannot sync a folder is left
  /// to its own promises.
  public static func sync(_ path: String) {
    let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { return }
    fsync(fd)
    close(fd)
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
