// One line of JSON per step:
//
//   {"step": 12, "loss": 2.31, "lr": 0.000005, "tokens_per_second": 610.2, "gradient_norm": 1.9, "tokens": 1024,
//    "seconds": 1.68, "drift": 0.0031, "drift_low": …, "drift_high": …, "distillation": 0.02,
//    "validation": 2.2, "kernels": text}
//
// "loss" is measured before the step's update, "drift" and "validation" (the loss on validation rows) after it, if at all. A run that was killed and resumed repeats
// some steps: the later line equals the earlier one but for its timing.

import Base
import Glibc

/// Log file with a line per step. A log that cannot be written does not end training.
final class TrainingLog {
  private let path: String
  private let descriptor: CInt
  private let stream: TextStream
  private let kernels: String
  /// Steps that are missing from the log, and the reason for the first.
  private var missing: (steps: [Int], reason: String)?
  /// Whether the last line was cut off and needs a line feed before the next.
  private var isTorn = false

  /// Opens the file for appending.
  init(path: String, kernels: String) throws {
    var fd: CInt
    repeat { fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666) } while fd < 0 && errno == EINTR
    guard fd >= 0 else { throw VPatchError.system(path, "cannot be written") }
    self.path = path
    descriptor = fd
    stream = TextStream(fd, path)
    self.kernels = kernels
  }

  deinit { close(descriptor) }

  /// Writes a step at once, so that the file can be followed.
  /// - Returns: what is wrong with the log, the first time that it cannot be written.
  func write(_ step: TrainingStep) -> String? {
    let line = JSON.dictionary([
      "step": JSON(step.number), "loss": JSON(step.loss), "lr": JSON(step.learningRate),
      "tokens_per_second": JSON(step.tokensPerSecond), "gradient_norm": JSON(step.gradientNorm),
      "tokens": JSON(step.tokens), "seconds": JSON(step.seconds), "drift": step.drift.map { JSON($0.value) },
      "drift_low": step.drift.map { JSON($0.low) }, "drift_high": step.drift.map { JSON($0.high) },
      "validation": step.validation.map { JSON($0) },
      "distillation": step.distillation == 0 ? nil : JSON(step.distillation), "kernels": .string(kernels),
    ]).compact()
    do throws(TextStream.Failure) {
      try stream.write((isTorn ? "\n" : "") + line + "\n")
      isTorn = false
      return nil
    } catch {
      isTorn = true
      missing = missing.map { ($0.steps + [step.number], $0.reason) } ?? ([step.number], error.reason)
      return missing?.steps.count == 1 ? "the log \(path) \(error.reason); training continues" : nil
    }
  }

  /// A warning for the end of training; nil if the log has every step.
  var note: String? {
    missing.map {
      "the log \(path) lacks \(Format.counted($0.steps.count, "step")) from step \($0.steps[0]) on: it \($0.reason)"
    }
  }
}

extension TextStream.Failure {
  fileprivate var reason: String {
    switch self {
    case .readerGone: "has no reader any more"
    case .failed(let error): error.reason
    }
  }
}
