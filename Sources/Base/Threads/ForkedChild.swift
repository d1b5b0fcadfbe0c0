import CSystem

/// The child of a fork, with this library inside, such as a worker of Python's `multiprocessing`.
///
/// Swift's locks (`Mutex`, and those of `static let`) hold the number of the thread that took them, and each thread
/// remembers its own number. In a child the thread that forked has another number than it remembers, so that the kernel
/// finds no owner of its locks: as soon as a second thread waits for one, both wait for ever. Threads that were made
/// after the fork are not affected.
package enum ForkedChild {
  /// Whether this process is one. It stays one.
  package static var isOne: Bool { vp_is_forked() != 0 }

  /// Runs `body`, in the child of a fork on a thread that is made for it.
  package static func run<T>(_ body: () -> T) -> T {
    guard isOne else { return body() }
    return OwnThreads.apart(body)
  }
}
