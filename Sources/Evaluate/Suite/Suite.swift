import Base

/// A set of evaluation tasks (docs/evaluation.md).
package struct Suite: Sendable {
  package let name: String
  package let tasks: [EvaluationTask]

  package init(name: String, tasks: [EvaluationTask]) {
    self.name = name
    self.tasks = tasks
  }

  /// Whether any prompt uses the model's chat template.
  package var usesChat: Bool { tasks.contains(where: \.usesChat) }

  /// Digest of what is measured: SHA-256 over the names, roles, metrics and probe sets of its tasks.
  package var digest: ContentDigest {
    let entries = tasks.map { task in
      JSON.dictionary([
        "task": .string(task.name), "role": .string(task.role.rawValue), "probe_set": .string(task.probeSet.hex),
      ])
    }
    return SHA256Hasher.hash(JSON.dictionary(["format": "vpatch.suite.1", "tasks": .array(entries)]).canonical())
  }
}
