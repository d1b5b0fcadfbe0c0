import Measure
import PatchFormat

/// Tasks that are measured together (docs/evaluation.md).
public struct Suite: Sendable {
  public let name: String
  public let tasks: [EvaluationTask]

  public init(name: String, tasks: [EvaluationTask]) {
    self.name = name
    self.tasks = tasks
  }

  /// Whether any prompt is in the model's chat template.
  public var usesChat: Bool { tasks.contains(where: \.usesChat) }

  /// What is measured, by content: SHA-256 over the names, roles, metrics and probe sets of its tasks.
  public var digest: Digest {
    let entries = tasks.map { task in
      JSON.dictionary([
        "task": .string(task.name), "role": .string(task.role.rawValue), "probe_set": .string(task.probeSet.hex),
      ])
    }
    return SHA256.hash(JSON.dictionary(["format": "vpatch.suite.1", "tasks": .array(entries)]).canonical())
  }
}
