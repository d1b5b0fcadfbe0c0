import Apply
import Base
import Checkpoints

/// A model with patches applied in memory, all of whose tensors were hashed.
package struct PatchedModel {
  package let view: ModelView
  package let root: ContentDigest
  /// The checkpoint without the patches; nil if there are none.
  package var withoutPatches: PatchedModel? {
    view.steps.first.map { PatchedModel(view: ModelView(view.checkpoint), root: $0.from) }
  }

  private init(view: ModelView, root: ContentDigest) {
    self.view = view
    self.root = root
  }

  /// Hashes every tensor, and rebuilds those that the steps change.
  /// - Throws: `wrongBase` if the steps do not start at this checkpoint.
  package init(_ checkpoint: SafetensorsCheckpoint, _ steps: [PatchStep] = [], _ work: WorkOptions) throws {
    guard let last = steps.last else {
      self.init(view: ModelView(checkpoint), root: try checkpoint.root(work))
      return
    }
    _ = try Rebuild(checkpoint, steps, work).check(full: true)
    self.init(view: ModelView(checkpoint, steps), root: last.to)
  }

  package var name: String { view.name }
}

extension ModelView {
  /// "base/ + counting"
  package var name: String { ([path] + steps.map { $0.stack?.name ?? $0.patch.label }).joined(separator: " + ") }
}
