import Glibc

/// A temporary obstacle: another process works on the same files. Waiting may help.
package struct Busy: Error {
  /// The error if waiting did not help.
  package let error: VPatchError
  package init(_ error: VPatchError) { self.error = error }
}

/// How long a process waits for another one.
package enum Patience {
  /// Long enough for the switch of a large model, and for most reads.
  package static let usual = Duration.seconds(10)

  /// Repeats `attempt` while it throws `Busy`, for at most `patience`.
  package static func wait<R>(_ patience: Duration, _ attempt: () throws -> R) throws -> R {
    let end = ContinuousClock.now + patience
    while true {
      do { return try attempt() } catch let busy as Busy {
        guard ContinuousClock.now < end else { throw busy.error }
        // Random, so that processes that wait for the same file do not retry in step.
        usleep(.random(in: 2000...20000))
      }
    }
  }
}
