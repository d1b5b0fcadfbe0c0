import CSystem
import Glibc

/// Locks on whole files. One belongs to the opening of the file that took it, and goes with it, or with the process.
public enum FileLock {
  /// - Parameter descriptor: open for writing.
  /// - Returns: false where another opening holds it.
  static func take(_ descriptor: CInt, _ path: String) throws -> Bool {
    if vp_lock(descriptor) == 0 { return true }
    switch errno {
    case EAGAIN, EACCES: return false
    default: throw VPatchError.system(path, "cannot be locked")
    }
  }

  /// Whether some living process holds the lock of the file at a path. One that cannot be opened counts as held: another
  /// user's process may be writing it.
  public static func isTaken(_ path: String) -> Bool {
    var descriptor: CInt
    repeat {
      descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { return errno != ENOENT }
    defer { close(descriptor) }
    return vp_is_locked(descriptor) != 0
  }
}
