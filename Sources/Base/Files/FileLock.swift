import CSystem
import Glibc

/// Locks on files (open file description locks). A lock ends when the descriptor that took it is closed, or with the
/// process.
package enum FileLock {
  /// What a process does with a file. It decides which bytes are locked.
  ///
  /// A reader locks one byte far beyond the end of any file, shared with other readers. A process that writes into the
  /// file locks all of it. A process that replaces the file locks everything before that byte: it excludes other
  /// changes, and readers keep the file that they have open.
  package enum Use: Sendable { case reading, replacing, writing }

  private static let readers: Int64 = 1 << 62

  /// - Parameters:
  ///   - descriptor: opened for writing, except for `reading`.
  ///   - optional: succeed without a lock on a file system that has no locks.
  /// - Returns: false where another descriptor holds a conflicting lock.
  package static func take(_ use: Use, _ descriptor: CInt, _ path: String, optional: Bool = false) throws -> Bool {
    let result =
      switch use {
      case .reading: vp_lock(descriptor, 1, readers, 1)
      case .replacing: vp_lock(descriptor, 0, 0, readers)
      case .writing: vp_lock(descriptor, 0, 0, 0)
      }
    if result == 0 { return true }
    switch errno {
    case EAGAIN, EACCES: return false
    case let code where optional && [EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP, EOVERFLOW].contains(code): return true
    default: throw VPatchError.system(path, "cannot be locked")
    }
  }

  /// Releases all locks on the file.
  package static func release(_ descriptor: CInt) { vp_unlock(descriptor, 0, 0) }

  /// Whether all processes that hold a lock on the file, if any, only read it.
  static func isHeldByReaders(_ descriptor: CInt) -> Bool {
    [VP_LOCK_NONE, VP_LOCK_SHARED].contains(Int(vp_lock_of_others(descriptor, 0, 0)))
  }

  /// Whether a running process writes a file.
  package enum Writer: Sendable {
    case none, living
    /// The file cannot be opened: it belongs to another user, who may be writing it.
    case unknown
  }

  /// Whether some process holds a write lock on the file at a path.
  package static func writer(of path: String) -> Writer {
    let descriptor = Descriptor.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT || errno == ELOOP ? .none : .unknown }
    defer { close(descriptor) }
    return Int(vp_lock_of_others(descriptor, 0, 0)) == VP_LOCK_NONE ? .none : .living
  }

  /// Whether the file must not be touched, since a process may be writing it.
  package static func isTaken(_ path: String) -> Bool { writer(of: path) != .none }
}

/// A number reserved by a running process: a lock of one byte of an empty file, at that offset.
///
/// The system releases it when the process ends, in any way, and nothing has to be deleted. A process that finds the
/// number in a record can check whether the process that wrote the record is still running.
package final class HeldNumber: Sendable {
  package let number: Int64
  private let descriptor: CInt

  /// Reserves a number that no process holds.
  /// - Parameter path: the lock file. It is created if missing.
  package init(in path: String) throws {
    let descriptor = Descriptor.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    self.descriptor = descriptor
    while true {
      let number = Int64.random(in: 1..<1 << 53)
      if vp_lock(descriptor, 0, number, 1) == 0 {
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

  /// The numbers that a process holds. All of them where the file cannot be read.
  package static func held(of numbers: some Sequence<Int64>, in path: String) -> Set<Int64> {
    let descriptor = Descriptor.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT ? [] : Set(numbers) }
    defer { close(descriptor) }
    return Set(numbers.filter { $0 > 0 && Int(vp_lock_of_others(descriptor, $0, 1)) != VP_LOCK_NONE })
  }
}

extension FileLock {
  package static func isBeingSwitched(_ model: String) -> VPatchError {
    VPatchError(.refused, model, "is being switched by another process", remedy: "try again when that is done")
  }
}
