import Glibc
import PatchFormat

/// Held by the one process that changes the files of a store; the system lets go of it when the process ends, however
/// it ends.
struct StoreLock {
  private let descriptor: CInt

  /// Waits for others, a minute at most.
  /// - Throws: `io` where they do not end, or the folder cannot be written to.
  init(store: String, patience: Int = 60_000) throws {
    let path = Path.join(store, "lock")
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    var waited = 0
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR, waited < patience else {
        let error =
          errno == EWOULDBLOCK
          ? VPatchError(.io, store, "is being changed by another vpatch", remedy: "try again when that has ended")
          : VPatchError.system(path, "cannot be locked")
        close(descriptor)
        throw error
      }
      // flock(2) can wait for ever or not at all.
      usleep(5_000)
      waited += 5
    }
  }

  func release() { close(descriptor) }
}
