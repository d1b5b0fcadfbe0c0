import Base
import Glibc
import Measure
import Train

/// The progress of training: a line redrawn on a terminal, else a line for each tenth of the steps.
final class TrainingDisplay {
  private let common: CommonOptions
  private let total: Int
  private var seconds = 0.0
  private var steps = 0
  private var drift: Estimate?

  init(_ common: CommonOptions, total: Int) {
    self.common = common
    self.total = total
  }

  func show(_ event: TrainingEvent) {
    guard !common.quiet else { return }
    switch event {
    case .trouble(let what):
      ProgressBar.clear()
      common.note(what)
    case .resumed(let step):
      ProgressBar.clear()
      if !common.json { Terminal.note("resuming after step \(Format.grouped(step)) of \(Format.grouped(total))") }
    case .step(let step): show(step)
    case .saved: break
    }
  }

  private func show(_ step: TrainingStep) {
    seconds += step.seconds
    steps += 1
    drift = step.drift ?? drift
    let left = seconds / Double(steps) * Double(total - step.number)
    var parts = [
      "step \(Format.grouped(step.number))/\(Format.grouped(total))", "loss \(Format.fixed(step.loss, 3))",
      "lr \(Format.significant(step.learningRate))", "\(Format.grouped(Int(step.tokensPerSecond))) tokens/s",
    ]
    if let drift { parts.append("drift \(Format.significant(drift.value))") }
    if step.number < total { parts.append("\(Format.duration(left)) left") }
    let line = parts.joined(separator: "  ")
    if Terminal.isInteractive {
      Terminal.draw("\r\u{1B}[K" + line)
    } else if !common.json, step.number * 10 / total > (step.number - 1) * 10 / total {
      Terminal.note(line)
    }
  }
}
