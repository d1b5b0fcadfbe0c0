import Base
import Checkpoints
import PatchFormat

/// Factors that were trained, as an adapter's files, and the changes that follow from them.
package struct TrainedAdapter: Sendable {
  package let adapter: PEFTAdapter
  /// By the names of the base's tensors. Views refer to the adapter's tensors by index.
  package let rules: [(tensor: TensorInfo, rule: LowRank)]
  /// Whether the patch keeps the whole adapter, even if it is smaller without.
  package let keepsAll: Bool

  package init(_ adapter: PEFTAdapter, rules: [(tensor: TensorInfo, rule: LowRank)], keepsAll: Bool) {
    self.adapter = adapter
    self.rules = rules
    self.keepsAll = keepsAll
  }

  /// The merged tensors: round(base + scale · B · A), the rule of `create BASE ADAPTER`.
  func changes(of base: ModelView) -> [TunedTensors.Change] {
    rules.map { tensor, rule in
      TunedTensors.Change(name: tensor.name) {
        AdaptedTensor(base.source(tensor.name)!, .lowRank(rule), adapter)
      }
    }
  }

  func context(_ work: WorkOptions) throws -> AdapterContext {
    AdapterContext(
      adapter: adapter, tensors: try AdapterContext.fingerprints(of: adapter, work),
      rules: Dictionary(uniqueKeysWithValues: rules.map { ($0.tensor.name.bytesKey, $0) }), keepsAll: keepsAll)
  }
}
