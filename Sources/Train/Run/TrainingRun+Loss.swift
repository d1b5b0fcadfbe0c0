import Base

/// What the course of the loss says about a run.
extension TrainingRun {
  /// Means over the first and the last tenth of the steps; nil for a run that is too short to judge.
  private var ends: (first: Double, last: Double)? {
    let losses = state.losses
    guard losses.count >= 10 else { return nil }
    let count = losses.count / 10
    func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(count) }
    return (mean(losses.prefix(count)), mean(losses.suffix(count)))
  }

  /// The error for a run that ended far above where it began.
  var divergence: VPatchError? {
    guard state.stopped == nil, let (mean, last) = ends else { return nil }
    // The first step's loss is the base's: a run can go astray within its first tenth.
    let first = min(mean, state.losses[0])
    guard last > first + 0.5, last > 1.5 * first else { return nil }
    return VPatchError(
      .mismatch, nil, "training diverged: the loss rose from \(Format.fixed(first, 3)) to \(Format.fixed(last, 3))",
      remedy: "start again with a lower --lr than \(Format.significant(options.learningRate)), or with a longer "
        + "--warmup; --keep-diverged writes the patch nevertheless", detail: .diverged)
  }

  /// What a user should know about the losses.
  var lossNotes: [String] {
    var notes: [String] = []
    if let (first, last) = ends, last > first {
      notes.append(
        "the loss rose from \(Format.fixed(first, 3)) to \(Format.fixed(last, 3)): a lower --lr may teach more")
    }
    if options.patience == nil, let last = state.validation.last,
      let lowest = state.validation.min(by: { $0.loss < $1.loss }), last.loss > 1.05 * lowest.loss
    {
      notes.append(
        "the validation loss was lowest after step \(Format.grouped(lowest.step)) (\(Format.fixed(lowest.loss, 3))) and "
          + "is \(Format.fixed(last.loss, 3)) now: --early-stop takes the weights of the lowest")
    }
    return notes
  }
}
