import Base
import Families

extension CheckpointDiff {
  /// The sum of some tensors.
  package struct Summary: Hashable, Sendable {
    package private(set) var tensors = 0
    package private(set) var changedTensors = 0
    package private(set) var change = Change.zero

    package init() {}

    package mutating func add(_ tensor: Tensor) {
      tensors += 1
      if tensor.isChanged { changedTensors += 1 }
      change.add(tensor.change)
    }

    package mutating func merge(_ other: Summary) {
      tensors += other.tensors
      changedTensors += other.changedTensors
      change.add(other.change)
    }
  }

  /// All tensors with the same place in their layer, or one place outside the layers.
  package struct ComponentSummary: Sendable {
    package let region: Component.Region
    /// `self_attn.q_proj`, `self_attn.q_proj.bias`, `vision tower mlp.fc1`: unique; `.weight` is omitted.
    package let label: String
    package fileprivate(set) var all = Summary()
    /// By layer; empty outside the layers.
    package fileprivate(set) var layers: [Int: Summary] = [:]

    /// The layers in which something changed, ascending.
    package var changedLayers: [Int] { layers.filter { $0.value.changedTensors > 0 }.keys.sorted() }
  }

  /// The sum of everything that can be compared.
  package var total: Summary { tensors.reduce(into: Summary()) { $0.add($1) } }

  /// By component, in the order of a forward pass as far as known.
  package var components: [ComponentSummary] { Self.components(of: tensors) }

  package static func components(of tensors: [Tensor]) -> [ComponentSummary] {
    ComponentGroup.groups(tensors.map { ($0.component, $0) }).map { group in
      var summary = ComponentSummary(region: group.region, label: group.label)
      for (layer, tensor) in group.items {
        summary.all.add(tensor)
        if let layer { summary.layers[layer, default: Summary()].add(tensor) }
      }
      return summary
    }
  }
}

/// The items of the tensors with one place in their layers, or one place outside the layers.
package struct ComponentGroup<Item> {
  package let region: Component.Region
  /// `self_attn.q_proj`, `self_attn.q_proj.bias`, `vision tower mlp.fc1`: unique; `.weight` is omitted.
  package let label: String
  package fileprivate(set) var items: [(layer: Int?, item: Item)] = []

  /// In the order of a forward pass as far as known.
  package static func groups(_ items: [(Component, Item)]) -> [ComponentGroup] {
    var order: [Component] = []
    var found: [String: ComponentGroup] = [:]
    for (component, item) in items {
      var place = component
      place.layer = nil
      let key = "\(place.region) \(place.path)".bytesKey
      if found[key] == nil {
        order.append(place)
        found[key] = ComponentGroup(region: place.region, label: place.label)
      }
      found[key]!.items.append((component.layer, item))
    }
    return order.sorted { ($0.region, $0.rank, $0.path) < ($1.region, $1.rank, $1.path) }
      .map { found["\($0.region) \($0.path)".bytesKey]! }
  }
}

extension Component {
  /// The component's name in tables, without the layer.
  package var label: String {
    let inner = parameter == "weight" ? name : path
    return region == .visionTower ? "vision tower \(inner)" : inner
  }

  /// Position in the layer's forward pass; unknown modules come last.
  fileprivate var rank: Int {
    Self.inOrder.firstIndex { name == $0 || name.hasSuffix(".\($0)") } ?? Self.inOrder.count
  }

  private static let inOrder = [
    "input_layernorm", "norm1", "layer_norm1", "q_proj", "q_norm", "k_proj", "k_norm", "v_proj", "qkv", "o_proj",
    "out_proj", "attn.proj", "post_attention_layernorm", "norm2", "layer_norm2", "gate_proj", "up_proj", "fc1",
    "down_proj", "fc2",
  ]
}
