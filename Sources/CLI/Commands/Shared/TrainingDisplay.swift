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
  private var validation: Double?
  /// The folder of the state, and the last step whose state is in it.
  private let resume: String?
  private var saved: Int?

  init(_ common: CommonOptions, total: Int, resume: String?) {
    self.common = common
    self.total = total
    self.resume = resume
    sayFarewell(after: 0)
  }

  func show(_ event: TrainingEvent) {
    switch event {
    case .step(let step): sayFarewell(after: step.number)
    case .saved(let step), .resumed(let step):
      saved = step
      sayFarewell(after: step)
    case .trouble: break
    }
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

  /// What a user reads after an interrupt.
  private func sayFarewell(after step: Int) {
    let kept =
      resume.map { folder in
        saved.map {
          "the state after step \(Format.grouped($0)) is in \(folder.printable), and the same command goes on from it"
        } ?? "no state was saved yet in \(folder.printable), so the same command starts again"
      } ?? "nothing is kept; with --resume DIR a run can go on"
    Interruption.setFarewell(" after step \(Format.grouped(step)) of \(Format.grouped(total)): \(kept)")
  }

  private func show(_ step: TrainingStep) {
    seconds += step.seconds
    steps += 1
    drift = step.drift ?? drift
    validation = step.validation ?? validation
    let left = seconds / Double(steps) * Double(total - step.number)
    var parts = [
      "step \(Format.grouped(step.number))/\(Format.grouped(total))", "loss \(Format.fixed(step.loss, 3))",
      "lr \(Format.significant(step.learningRate))", "norm \(Format.significant(step.gradientNorm))",
      "\(Format.grouped(Int(step.tokensPerSecond))) tokens/s",
    ]
    if let validation { parts.insert("validation \(Format.fixed(validation, 3))", at: 2) }
    if let drift { parts.append("drift \(Format.significant(drift.value))") }
    if step.number < total { parts.append("\(Format.duration(left)) left") }
    let line = parts.joined(separator: "  ")
    if Terminal.isInteractive {
      Terminal.draw(Terminal.redrawn(line))
    } else if !common.json, step.number * 10 / total > (step.number - 1) * 10 / total {
      Terminal.note(line)
    }
  }
}
