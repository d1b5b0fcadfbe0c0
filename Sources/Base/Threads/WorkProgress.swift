import Synchronization

/// Progress of long work, reported from any thread.
package final class WorkProgress: Sendable {
  package typealias Report = @Sendable (_ phase: String, _ done: Int, _ total: Int) -> Void
  private let report: Report?
  private let state = Mutex((phase: "", done: 0, total: 0))

  /// - Parameter report: called after each step; nil for no reports.
  package init(_ report: Report? = nil) { self.report = report }

  /// Begins a phase of `total` bytes.
  package func begin(_ phase: String, total: Int) {
    state.withLock { $0 = (phase, 0, total) }
    report?(phase, 0, total)
  }

  package func advance(_ bytes: Int) {
    guard let report else { return }
    let now = state.withLock { state in
      state.done += bytes
      return state
    }
    report(now.phase, now.done, now.total)
  }
}

/// Options of every long operation besides its inputs.
package struct WorkOptions: Sendable {
  /// Number of threads. The result does not depend on it.
  package var threads: Int
  package var progress: WorkProgress

  package init(threads: Int, progress: WorkProgress = WorkProgress()) {
    self.threads = max(1, threads)
    self.progress = progress
  }
}
