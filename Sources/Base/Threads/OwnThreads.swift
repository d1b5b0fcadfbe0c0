import Glibc

/// Threads that are made for one call. Slower than Dispatch's, and usable in the child of a fork.
enum OwnThreads {
  private final class Task {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Starts a thread; nil where the system gives no more.
  private static func start(_ body: @escaping () -> Void) -> pthread_t? {
    var thread = pthread_t()
    let task = Unmanaged.passRetained(Task(body))
    let code = pthread_create(
      &thread, nil,
      { task in
        Unmanaged<Task>.fromOpaque(task!).takeRetainedValue().body()
        return nil
      }, task.toOpaque())
    guard code == 0 else {
      task.release()
      return nil
    }
    return thread
  }

  /// Calls `body` once on each of `count` threads, this one among them. Where the system gives no more threads, this
  /// one does their part.
  static func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var threads: [pthread_t] = []
      for index in 1..<max(count, 1) {
        guard let thread = start({ body(index) }) else { break }
        threads.append(thread)
      }
      body(0)
      // The parts that got no thread.
      for index in (threads.count + 1)..<max(count, threads.count + 1) { body(index) }
      for thread in threads { pthread_join(thread, nil) }
    }
  }

  /// Calls `body` on another thread while this one waits. Where the system gives none, on this one.
  static func apart<T>(_ body: () -> T) -> T {
    var result: T?
    let kept = { result = body() }
    withoutActuallyEscaping(kept) { work in
      guard let thread = start(work) else { return work() }
      pthread_join(thread, nil)
    }
    return result!
  }
}
