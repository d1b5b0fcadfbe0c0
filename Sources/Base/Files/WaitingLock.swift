import Glibc

/// An exclusive lock (flock) of a file or a folder that waits for other holders. It ends with this value or with the
/// process, and leaves nothing behind.
package final class WaitingLock: Sendable {
  private let descriptor: CInt

  /// Waits while another process has the lock.
  /// - Parameters:
  ///   - path: a file, which is created if missing, or a folder.
  ///   - subject: what is being changed, for the error.
  ///   - patience: maximum wait in seconds.
  /// - Throws: `io` where the wait exceeds `patience`, or `path` cannot be opened. A file system that cannot lock
  ///   folders is no error.
  package init(_ path: String, isFolder: Bool = false, subject: String, patience: Double = 60) throws {
    let flags = O_CLOEXEC | (isFolder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT | O_NOFOLLOW)
    // A folder may be reached through a link.
    let descriptor = Descriptor.open(path, flags, 0o666)
    guard descriptor >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    self.descriptor = descriptor
    let clock = ContinuousClock()
    let end = clock.now + .seconds(patience)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if isFolder, [EBADF, EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP].contains(code) { return }
      guard code == EWOULDBLOCK || code == EINTR else {
        throw VPatchError.system(path, "cannot be locked", errno: code)
      }
      guard clock.now < end else {
        throw VPatchError(.io, subject, "is being changed by another vpatch", remedy: "try again when that has ended")
      }
      // flock(2) can only wait forever or not at all. A process retries more often the longer it has waited, so that
      // newcomers do not always get ahead of it.
      let left = max(0, (end - clock.now) / .seconds(patience) - 0.5) * 2
      usleep(useconds_t.random(in: 100...200 + useconds_t(8_000 * left * left)))
    }
  }

  deinit { close(descriptor) }
}
