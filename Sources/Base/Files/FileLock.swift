import CSystem
import Glibc

/// Locks on files. One belongs to the opening of the file that took it, and goes with it, or with the process.
package enum FileLock {
  /// What is done with a file, and with that, what of it is locked.
  ///
  /// A reader holds one byte far behind the end of any file, and shares it with other readers. Who writes into the file
  /// holds all of it. Who puts another file under its name holds what is before that byte: no other change passes, and
  /// readers keep the file that they have.
  package enum Use: Sendable { case reading, replacing, writing }

  private static let readers: Int64 = 1 << 62

  /// - Parameters:
  ///   - descriptor: open for writing, except for `reading`.
  ///   - optional: do without on a file system that has no locks.
  /// - Returns: false where another opening stands against it.
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

  /// Gives the whole file free.
  package static func release(_ descriptor: CInt) { vp_unlock(descriptor, 0, 0) }

  /// Whether those who hold the file, if anybody does, only read it.
  static func isHeldByReaders(_ descriptor: CInt) -> Bool {
    [VP_LOCK_NONE, VP_LOCK_SHARED].contains(Int(vp_lock_of_others(descriptor, 0, 0)))
  }

  /// Whether some living process writes a file.
  package enum Writer: Sendable {
    case none, living
    /// The file cannot be opened: it is another user's, who may be writing it.
    case unknown
  }

  /// Who holds the file at a path.
  package static func writer(of path: String) -> Writer {
    let descriptor = Descriptor.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT || errno == ELOOP ? .none : .unknown }
    defer { close(descriptor) }
    return Int(vp_lock_of_others(descriptor, 0, 0)) == VP_LOCK_NONE ? .none : .living
  }

  /// Whether a file has to be left alone, since a process may be writing it.
  package static func isTaken(_ path: String) -> Bool { writer(of: path) != .none }
}

/// A number that a living process holds: a lock of one byte of an empty file, at that offset.
///
/// The system lets go of it when the process ends, however it ends, and nothing has to be deleted. Whoever finds the
/// number written somewhere can ask whether the process that wrote it still lives.
package final class HeldNumber: Sendable {
  package let number: Int64
  private let descriptor: CInt

  /// Takes a number that nobody holds.
  /// - Parameter path: the file; it is made where it is missing.
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

  /// Those of some numbers that somebody holds. Where the file cannot be looked into, all of them may be held.
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
