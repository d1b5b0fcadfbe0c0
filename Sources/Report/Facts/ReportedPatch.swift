import Base
import Checkpoints
import Measure
import PatchFormat

/// What a page shows of one patch.
package struct ReportedPatch: Sendable {
  package let patch: Patch
  /// The name to show.
  package let name: String
  package let forgetting: ForgettingReport
  /// nil if the patch has none.
  package let training: TrainingRecord?
  /// Why annotations could not be read. They are ignored.
  package let problems: [String]

  /// - Parameter name: nil for the patch's own name, or else the first digits of its identity.
  package init(_ patch: Patch, name: String? = nil) {
    self.patch = patch
    self.name = name ?? patch.name ?? patch.identity.short
    var problems: [String] = []
    func noted<T>(_ read: () throws -> T?) -> T? {
      do { return try read() } catch {
        problems.append((error as? VPatchError)?.reason ?? "\(error)")
        return nil
      }
    }
    forgetting = noted { try ForgettingReport(patch) } ?? ForgettingReport(predicted: .unmeasured)
    training = noted { try TrainingRecord(annotations: patch.annotations, subject: patch.label) }
    self.problems = problems
  }

  package var summary: ForgettingSummary { forgetting.summary }

  /// What was trained, if recorded: the recipe of the training record or of the patch.
  package var recipe: String? { training?.tunedText ?? patch.annotations["recipe"]?.string }

  // MARK: Sizes, in bytes and elements

  package var touched: [PatchTensor] { patch.header.touched }
  package var tunedBytes: Int { Self.bytes(touched) }
  /// Of the target model.
  package var modelBytes: Int { Self.bytes(patch.header.tensors.filter { $0.target != nil }) }
  var tunedWeights: Int { Self.weights(touched) }
  package var modelWeights: Int { Self.weights(patch.header.tensors.filter { $0.target != nil }) }

  private static func info(_ tensor: PatchTensor) -> TensorInfo { (tensor.target ?? tensor.base)!.info }
  private static func bytes(_ tensors: [PatchTensor]) -> Int { tensors.reduce(0) { $0 + info($1).byteCount } }
  private static func weights(_ tensors: [PatchTensor]) -> Int { tensors.reduce(0) { $0 + info($1).elementCount } }

  package var json: JSON {
    .dictionary([
      "name": .string(name), "identity": .string(patch.identity.hex), "base": .string(patch.header.baseRoot.hex),
      "target": .string(patch.header.targetRoot.hex), "recipe": recipe.map { .string($0) },
      "bytes": JSON(patch.fileSize), "tuned_bytes": JSON(tunedBytes), "model_bytes": JSON(modelBytes),
      "tuned_weights": JSON(tunedWeights), "model_weights": JSON(modelWeights), "forgetting": forgetting.json,
      "training": training?.json, "problems": .array(problems.map { .string($0) }),
    ])
  }
}
