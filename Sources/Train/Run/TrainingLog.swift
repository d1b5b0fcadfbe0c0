// One line of JSON a step:
//
//   {"step": 12, "loss": 2.31, "lr": 0.000005, "tokens_per_second": 610.2, "gradient_norm": 1.9, "tokens": 1024,
//    "seconds": 1.68, "drift": 0.0031, "drift_low": …, "drift_high": …, "distillation": 0.02, "kernels": text}
//
// "loss" is that before the step's update; "drift", where it was measured, that after it. A run that was killed and
// resumed does some steps twice: the later line is as good as the earlier.

import Glibc
import PatchFormat

/// A file that gets a line for each step.
public final class TrainingLog {
  private let path: String
  private let file: UnsafeMutablePointer<FILE>
  private let kernels: String

  /// Opens the file, to append to it.
  public init(path: String, kernels: String) throws {
    guard let file = fopen(path, "a") else { throw VPatchError.system(path, "cannot be written") }
    self.path = path
    self.file = file
    self.kernels = kernels
  }

  deinit { fclose(file) }

  public func write(_ step: TrainingStep) throws {
    let line = JSON.dictionary([
      "step": JSON(step.number), "loss": JSON(step.loss), "lr": JSON(step.learningRate),
      "tokens_per_second": JSON(step.tokensPerSecond), "gradient_norm": JSON(step.gradientNorm),
      "tokens": JSON(step.tokens), "seconds": JSON(step.seconds), "drift": step.drift.map { JSON($0.value) },
      "drift_low": step.drift.map { JSON($0.low) }, "drift_high": step.drift.map { JSON($0.high) },
      "distillation": step.distillation == 0 ? nil : JSON(step.distillation), "kernels": .string(kernels),
    ]).compact()
    // Each line at once: who watches the file sees every step.
    guard fputs(line + "\n", file) >= 0, fflush(file) == 0 else {
      throw VPatchError.system(path, "cannot be written")
    }
  }
}
