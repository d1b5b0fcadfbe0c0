import Model

extension TuningPlan {
  /// Makes masters, gradients and moments.
  func beginTuning() {
    for parameter in parameters { parameter.beginTuning() }
    for (target, factors) in zip(targets, factors) { target.attach(factors) }
  }

  /// Drops them: the model is the base again.
  func endTuning() {
    for parameter in parameters { parameter.endTuning() }
    for target in targets where !factors.isEmpty { target.detach() }
  }

  /// Runs `body` with the weights that the patch would have: rounded to the base's dtype, factors merged.
  func rounded<T>(step: Int, _ compute: Compute, _ body: () throws -> T) rethrows -> T {
    guard factors.isEmpty else {
      compute.each(targets.count) { _, i in targets[i].merge() }
      defer { for target in targets { target.unmerge() } }
      return try body()
    }
    let exact = TunedSnapshot(targets, step: step)
    defer { exact.restore(targets) }
    compute.each(targets.count) { _, i in targets[i].roundMaster() }
    return try body()
  }
}
