import Glibc

/// Threads that are made for one call. Slower than Dispatch's, and usable in the child of a fork.
enum OwnThreads {
  private final class Task {
    let index: Int
    let body: @Sendable (Int) -> Void

    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }

  /// Calls `body` once on each of `count` threads, this one among them. Where the system gives no more threads, this
  /// one does their part.
  static func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var threads: [pthread_t] = []
      for index in 1..<max(count, 1) {
        var thread = pthread_t()
        let task = Unmanaged.passRetained(Task(index, body))
        let code = pthread_create(
          &thread, nil,
          { task in
            let task = Unmanaged<Task>.fromOpaque(task!).takeRetainedValue()
            task.body(task.index)
            return nil
          }, task.toOpaque())
        guard code == 0 else {
          task.release()
          break
        }
        threads.append(thread)
      }
      body(0)
      // The parts that got no thread.
      for index in (threads.count + 1)..<max(count, threads.count + 1) { body(index) }
      for thread in threads { pthread_join(thread, nil) }
    }
  }
}
