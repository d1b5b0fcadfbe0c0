import Base
import Checkpoints
import PatchFormat

/// The tensors of a stack's result, computed from the base and the members' patches by the rules of spec/stacks.md.
package struct Merge: Sendable {
  package let definition: StackDefinition
  /// Names of tensors that the result may change, in ascending order of their bytes.
  package var touched: [String] { definition.method.rest == 0 ? [] : tensors.map(\.name) }

  package let patches: [Patch]
  package let rule: MergeRule
  package let kernel: Kernel
  /// The tensors that members touch, in ascending order of the names' bytes.
  package let tensors: [TouchedTensor]
  private let places: [String: Int]
  /// The quantised weights of the base and of the results of the members with an effect.
  package let units: QuantisedUnits
  let plans = MergePlans()

  /// A tensor with the members that have an effect on it, in ascending order of identity.
  package struct TouchedTensor: Sendable {
    package let name: String
    let contributors: [Contributor]

    package var base: FingerprintedTensor? { contributors[0].tensor.base }
    /// Whether its elements are numbers that can be computed with.
    var isMergeable: Bool {
      contributors.allSatisfy { $0.tensor.operation == .change && $0.tensor.base!.info.dtype.element.isFloat }
    }
  }

  struct Contributor: Sendable {
    package let patch: Patch
    package let tensor: PatchTensor
    package let scale: Double
    /// Factor of its differences.
    package let weight: Double
    /// Whether it is the first of the stack's members.
    package let isFirst: Bool
  }

  /// Checks everything that needs no model.
  /// - Parameter patches: the members, in any order.
  /// - Throws: `refused` for patches that are not the members, have different bases, or change a tensor in ways that
  ///   cannot be combined. The error names the patches and the tensor.
  package init(_ definition: StackDefinition, patches: [Patch]) throws {
    try self.init(definition, patches: patches, kernel: .chosen)
  }

  package init(_ definition: StackDefinition, patches: [Patch], kernel: Kernel) throws {
    let sorted = try Self.match(definition, patches)
    self.definition = definition
    self.patches = sorted
    self.kernel = kernel
    rule = MergeRule(definition)
    tensors = Self.touched(sorted, rule)
    places = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name.bytesKey, $0) })
    units = QuantisedUnits(Self.participants(sorted, rule))
    for unit in units.units { try checkUnit(unit) }
    for tensor in tensors where !tensor.isMergeable { try checkReplacement(tensor) }
  }

  /// The patches of the members with an effect.
  var participants: [Patch] { Self.participants(patches, rule) }

  private static func participants(_ patches: [Patch], _ rule: MergeRule) -> [Patch] {
    zip(patches, rule.members).compactMap { patch, member in member.map { _ in patch } }
  }

  private static func touched(_ patches: [Patch], _ rule: MergeRule) -> [TouchedTensor] {
    var contributors: [String: [Contributor]] = [:]
    for (patch, member) in zip(patches, rule.members) {
      guard let member else { continue }
      for tensor in patch.header.touched {
        contributors[tensor.name.bytesKey, default: []].append(
          Contributor(
            patch: patch, tensor: tensor, scale: member.scale, weight: member.weight,
            isFirst: patch.identity == patches[0].identity))
      }
    }
    return contributors.values.map { TouchedTensor(name: $0[0].tensor.name, contributors: $0) }
      .sorted { $0.name.precedes($1.name) }
  }

  /// The tensor after the merge; nil where it is removed or never existed.
  package func target(_ name: String) -> TensorInfo? {
    guard let tensor = tensor(name), definition.method.rest != 0 else {
      return patches.lazy.compactMap { $0.tensor(named: name)?.base?.info }.first
    }
    return tensor.contributors[0].tensor.target?.info
  }

  package func tensor(_ name: String) -> TouchedTensor? { places[name.bytesKey].map { tensors[$0] } }
}
