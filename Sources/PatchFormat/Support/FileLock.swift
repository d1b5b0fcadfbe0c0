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

/// A number that a living process holds: a lock of one byte of an empty file, at that offset.
///
/// The system lets go of it when the process ends, however it ends, and nothing has to be deleted. Whoever finds the
/// number written somewhere can ask whether the process that wrote it still lives.
public final class HeldNumber: Sendable {
  public let number: Int64
  private let descriptor: CInt

  /// Takes a number that nobody holds.
  /// - Parameter path: the file; it is made where it is missing.
  public init(in path: String) throws {
    var descriptor: CInt
    repeat {
      descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    self.descriptor = descriptor
    while true {
      let number = Int64.random(in: 1..<1 << 53)
      if vp_lock_byte(descriptor, off_t(number)) == 0 {
        self.number = number
        return
      }
      guard errno == EAGAIN || errno == EACCES || errno == EINTR else {
        let error = VPatchError.system(path, "cannot be locked")
        close(descriptor)
        throw error
      }
    }
  }

  deinit { close(descriptor) }

  /// Those of some numbers that somebody holds. Where the file cannot be looked into, all of them may be held.
  public static func held(of numbers: some Sequence<Int64>, in path: String) -> Set<Int64> {
    var descriptor: CInt
    repeat {
      descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { return errno == ENOENT ? [] : Set(numbers) }
    defer { close(descriptor) }
    return Set(numbers.filter { $0 > 0 && vp_is_byte_locked(descriptor, off_t($0)) != 0 })
  }
}
