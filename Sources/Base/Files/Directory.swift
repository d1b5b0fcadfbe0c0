import CSystem
import Glibc

/// What is done to folders as such.
package enum Directory {
  /// Makes a rename, a new name or a deletion in the folder durable, as far as the folder can.
  package static func sync(_ path: String) { try? syncOrFail(path) }

  /// The same, where what follows relies on it.
  /// - Throws: `io` where the disk fails. A file system that cannot sync folders is left to its own promises.
  package static func syncOrFail(_ path: String) throws {
    let fd = Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if fd < 0, errno == EACCES {
      // A folder that may be written and not read: it becomes durable with all else.
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

  /// Makes a name durable that something whole has just been given.
  /// - Throws: `io` where the disk fails; it says that the name is given.
  static func syncName(_ path: String) throws {
    do { try syncOrFail(Path.parent(path)) } catch let error as VPatchError {
      throw VPatchError(error.code, path, "is written, but a power cut may undo that: its folder \(error.reason)")
    }
  }

  /// Takes a file's name away; it is no error where nothing has that name.
  package static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw VPatchError.system(path, "cannot be removed") }
  }

  /// Gives a file another name.
  /// - Parameter replacing: whether it takes the place of what has that name.
  /// - Throws: `refused` where something has that name and must not be replaced; `io`.
  package static func rename(_ path: String, to other: String, replacing: Bool = true) throws {
    guard !replacing else {
      guard Glibc.rename(path, other) == 0 else { throw VPatchError.system(other, "cannot be given its name") }
      return
    }
    if vp_rename_no_replace(path, other) == 0 { return }
    if errno == EINVAL || errno == ENOSYS {
      // A file system without that call. A second name is as good: it is never put in another's place either.
      if link(path, other) == 0 {
        unlink(path)
        return
      }
      if errno != EEXIST, try PathKind.of(other, followingLinks: false) == .missing {
        return try rename(path, to: other)
      }
      throw exists(other)
    }
    throw errno == EEXIST ? exists(other) : VPatchError.system(other, "cannot be given its name")
  }

  /// The name of a file can be given to another, or be taken away: to be asked before something is decided that needs it.
  /// - Throws: `refused` where it cannot; `io` where the system does not say.
  package static func requireReplaceable(_ path: String) throws {
    let reason: String
    switch vp_keeps_its_name(path, Path.parent(path)) {
    case 0: return
    case 1: reason = "belongs to another user, in a folder where only the owner of a file may replace it"
    case 2: reason = "is marked as not to be changed (chattr +i or +a), or its folder is"
    case 3: reason = "is a mount point"
    default: throw VPatchError.system(path, "cannot be examined")
    }
    throw VPatchError(.refused, path, reason, remedy: "nothing was changed: mend that, then run the command again")
  }

  /// Puts what has a name out of the way, whatever it is: it becomes NAME.set-aside-N.
  /// - Returns: what it is called then.
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

  /// What to say where a name is taken.
  package static func exists(_ path: String, remedy: String = "use --force to replace it") -> VPatchError {
    VPatchError(.refused, path, "exists already", remedy: remedy)
  }

  /// Makes folders, durably, and those above them that are missing. One that is there already is left as it is, but its
  /// name is made durable too: whoever made it may have been killed before that.
  package static func make(_ paths: String...) throws { try make(paths) }

  package static func make(_ paths: [String]) throws {
    var parents = Set(paths.map(Path.parent))
    for path in paths { try make(path, &parents) }
    // Once for all: on most file systems each sync that follows a change waits for the disk.
    for parent in parents.sorted() { try syncOrFail(parent) }
  }

  private static func make(_ path: String, _ parents: inout Set<String>) throws {
    guard try PathKind.of(path) != .directory else { return }
    let parent = Path.parent(path)
    if parent != path { try make(parent, &parents) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw VPatchError.system(path, "cannot be made") }
    guard try PathKind.of(path) == .directory else {
      throw VPatchError(.io, path, "is a file where a folder has to be")
    }
    parents.insert(parent)
  }
}
