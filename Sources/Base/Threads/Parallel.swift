import Dispatch
import Glibc
import Synchronization

/// Runs independent work items on several threads.
package enum Parallel {
  /// Calls `body` with 0 ..< count, started in that order, on `threads` threads.
  ///
  /// After the first error no new items start. It is thrown when the running items have ended; of several errors the
  /// one with the lowest index, so that the message does not depend on the threads.
  package static func forEach(
    _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> Void
  ) throws {
    guard threads > 1, count > 1 else {
      for i in 0..<count { try body(i) }
      return
    }
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    let hasFailed = Atomic<Bool>(false)
    eachNumbered(count, threads: threads) { _, i in
      guard !hasFailed.load(ordering: .relaxed) else { return }
      do { try body(i) } catch {
        failure.withLock { if $0 == nil || i < $0!.index { $0 = (i, error) } }
        hasFailed.store(true, ordering: .relaxed)
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  /// Calls `body` with 0 ..< count, started in that order, each item as soon as a thread is free.
  /// - Parameter body: gets the index of its thread, below `threads`, and of the item.
  package static func eachNumbered(
    _ count: Int, threads: Int, _ body: @Sendable (_ thread: Int, _ item: Int) -> Void
  ) {
    guard threads > 1, count > 1 else {
      for i in 0..<count { body(0, i) }
      return
    }
    let next = Atomic<Int>(0)
    onThreads(min(threads, count)) { thread in
      while true {
        let i = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard i < count else { return }
        body(thread, i)
      }
    }
  }

  /// Calls `body` once on each of several threads. Dispatch's threads do not survive a fork: a child that uses its
  /// queues would wait for ever.
  private static func onThreads(_ count: Int, _ body: @Sendable (Int) -> Void) {
    guard !ForkedChild.isOne else { return OwnThreads.run(count, body) }
    DispatchQueue.concurrentPerform(iterations: count, execute: body)
  }

  /// The results of `body` for 0 ..< count, in order.
  package static func map<T: Sendable>(
    _ count: Int, threads: Int, _ body: @Sendable (Int) throws -> T
  ) throws -> [T] {
    let results = Mutex([T?](repeating: nil, count: count))
    try forEach(count, threads: threads) { i in
      let value = try body(i)
      results.withLock { $0[i] = value }
    }
    return results.withLock { $0.map { $0! } }
  }
}
