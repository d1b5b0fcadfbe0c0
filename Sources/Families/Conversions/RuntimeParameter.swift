import Base
import Checkpoints

/// A parameter of a model in memory, as transformers 5 names it, and the tensors of a checkpoint that it is made of.
///
/// An adapter names parameters so: PEFT's `model.layers.0.mlp.experts.gate_up_proj` is 256 tensors of Qwen3-MoE's files.
package struct RuntimeParameter: Sendable {
  /// A tensor of the checkpoint that has elements of the parameter.
  package struct Part: Sendable {
    package let tensor: TensorInfo
    /// Where the tensor's elements (target) are in the parameter (source 0). They cover the part that is in the
    /// parameter: the whole tensor, unless the runtime splits it into several parameters.
    package let blocks: [TensorBlock]
  }

  /// The parameter's shape.
  package let shape: [Int]
  /// In the order of their elements in the parameter.
  package let parts: [Part]

  /// The checkpoint's tensors of each parameter.
  /// - Parameters:
  ///   - names: of parameters, as many as there are: together they show which layout they are in.
  ///   - shapes: the shapes of the parameters, where known. Needed for experts that a file has transposed (Qwen3-VL-MoE).
  ///   - base: all tensors of the checkpoint, in any layout.
  ///   - configs: the checkpoint's config, if known.
  /// - Returns: nothing for a name that no tensor belongs to.
  /// - Throws: `LayoutMatchError`, `KeyMapError`.
  package static func find(
    _ names: [String], shapes: [String: [Int]] = [:], in base: [TensorInfo], configs: [JSON] = []
  ) throws -> [String: RuntimeParameter] {
    let search = ConversionSearch(tuned: names, base: base.map(\.name), configs: configs)
    let converted = try search.steps().converted(base.map(\.name), .base)
    let map = try KeyMap.auto(from: names, to: converted.names)
    let originOf = Dictionary(converted.entries.map { ($0.name, $0.origin) }) { first, _ in first }
    var found: [String: RuntimeParameter] = [:]
    for (name, target) in map.names {
      switch originOf[target] {
      case .stored(let index): found[name] = RuntimeParameter(stored: base[index], shape: shapes[name])
      case .part(let group, let place):
        found[name] = try RuntimeParameter(converted.groups[group], place, name: name, in: base, configs)
      case nil: break
      }
    }
    return found
  }

  private init(stored tensor: TensorInfo, shape: [Int]?) {
    var box = TensorBox(shape: tensor.shape)
    var own = tensor.shape
    if let shape, tensor.shape.count == 3, shape.count == 3, ExpertTransposition.isSwapped(shape, tensor.shape) {
      box = TensorBox(shape: shape).transposed!
      own = shape
    }
    self.shape = own
    parts = [Part(tensor: tensor, blocks: [TensorBlock(TensorBox(shape: tensor.shape), from: box, source: 0)!])]
  }

  private init(
    _ group: ConvertedNames.Group, _ place: Int, name: String, in base: [TensorInfo], _ configs: [JSON]
  ) throws {
    let ordered = try group.ordered(.base, whole: name)
    let arrangement = group.converter.arrangement
    let members = ordered.joined().map { base[$0] }
    let hub = ordered.map { $0.map { base[$0].shape } }
    let heads = try arrangement.heads(configs, name: name)
    guard let shapes = arrangement.runtimeShapes(hub: hub, runtime: group.converter.runtime.count),
      let links = arrangement.links(hub: hub, runtime: shapes, heads: heads)
    else { throw LayoutMatchError.shapes(side: .base, whole: name, part: members[0].name) }
    shape = shapes[place]
    let own = links.filter { $0.runtime == place }
    let blocks = own.compactMap { link in
      TensorBlock(link.hubBox, from: link.runtimeBox, source: 0).map { (link.hub, $0) }
    }
    guard blocks.count == own.count else {
      throw LayoutMatchError.shapes(side: .base, whole: name, part: members[0].name)
    }
    parts = Dictionary(grouping: blocks) { $0.0 }
      .sorted { $0.value[0].1.sourceStart < $1.value[0].1.sourceStart }
      .map { Part(tensor: members[$0.key], blocks: $0.value.map(\.1)) }
  }
}
