import Glibc

extension TrainingOptions {
  /// The learning rate of a step, counted from 0, out of `total`.
  ///
  /// It rises linearly during warm-up, then follows the schedule to zero after the last step.
  func learningRate(step: Int, of total: Int) -> Double {
    let rising = (warmup * Double(total)).rounded(.up)
    if Double(step) < rising { return learningRate * Double(step + 1) / (rising + 1) }
    let progress = (Double(step) - rising) / max(1, Double(total) - rising)
    switch schedule {
    case .constant: return learningRate
    case .linear: return learningRate * (1 - progress)
    case .cosine: return learningRate * 0.5 * (1 + cos(.pi * progress))
    }
  }
}
