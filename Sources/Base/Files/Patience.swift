import Glibc

/// Something stands in the way that passes: another process is at work on the same files.
package struct Busy: Error {
  /// What to say when it does not pass.
  package let error: VPatchError
  package init(_ error: VPatchError) { self.error = error }
}

/// How long one process waits for another.
package enum Patience {
  /// A switch of a large model is decided and carried out in that time, most readings are done.
  package static let usual = Duration.seconds(10)

  /// Tries again while it throws `Busy`, for as long as that.
  package static func wait<R>(_ patience: Duration, _ attempt: () throws -> R) throws -> R {
    let end = ContinuousClock.now + patience
    while true {
      do { return try attempt() } catch let busy as Busy {
        guard ContinuousClock.now < end else { throw busy.error }
        // Not in step with others who wait for the same.
        usleep(.random(in: 2000...20000))
      }
    }
  }
}
