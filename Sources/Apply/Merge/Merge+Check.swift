import Base
import PatchFormat

// Checks without a model: whether the patches are the stack's members, and whether their changes can be combined
// (spec/stacks.md, section 4).

extension Merge {
  /// The members' patches, in the order of the definition.
  package static func match(_ definition: StackDefinition, _ patches: [Patch]) throws -> [Patch] {
    var found: [ContentDigest: Patch] = [:]
    for patch in patches {
      guard patch.header.baseRoot == definition.base else {
        throw VPatchError(
          .refused, patch.label,
          "was made from \(patch.header.baseRoot.short), but the stack's base is \(definition.base.short)",
          remedy: "all patches of a stack have the same base: apply a chain in its order, or rebase the patch")
      }
      found[patch.identity] = patch
    }
    let members = Set(definition.members.map(\.identity))
    for patch in patches where !members.contains(patch.identity) {
      throw VPatchError(
        .refused, patch.label, "is not a member of the stack", remedy: "leave it out, or add it to the stack")
    }
    return try definition.members.map { member in
      guard let patch = found[member.identity] else {
        throw VPatchError(
          .refused, "patch \(member.identity.short)", "is in the stack, but its file was not given",
          remedy: "give all of the stack's patches")
      }
      return patch
    }
  }

  /// A tensor that is not a float becomes what every contributor makes it; if they disagree, the stack is refused.
  func checkReplacement(_ tensor: TouchedTensor) throws {
    let first = tensor.contributors[0]
    let name = "\"\(tensor.name.printable)\""
    for other in tensor.contributors.dropFirst() where other.tensor.target != first.tensor.target {
      throw VPatchError(
        .refused, other.patch.label,
        "conflicts with \(first.patch.label): the one \(other.tensor.does) \(name), "
          + "the other \(first.tensor.does) it, with different results",
        remedy: "only float tensors of one shape can be combined; leave one of the two patches out")
    }
    guard definition.method.towardBase == 0 else {
      throw VPatchError(
        .refused, first.patch.label, "cannot be moved toward its base: it \(first.tensor.does) \(name)",
        remedy: "give --toward-base 0")
    }
    guard !rule.isMean else { return try checkMean(tensor) }
    for contributor in tensor.contributors where contributor.scale != 1 {
      throw VPatchError(
        .refused, contributor.patch.label,
        "cannot be scaled by \(contributor.scale.shortest): it \(contributor.tensor.does) \(name)",
        remedy: "give it the scale 1")
    }
  }

  /// Such a tensor has a mean over all members only if all make it the same. Then scales do not matter.
  private func checkMean(_ tensor: TouchedTensor) throws {
    let first = tensor.contributors[0]
    for (patch, member) in zip(patches, rule.members) where member != nil {
      guard tensor.contributors.contains(where: { $0.patch.identity == patch.identity }) else {
        throw VPatchError(
          .refused, patch.label,
          "conflicts with \(first.patch.label) in the method \(definition.method.kind.rawValue): "
            + "that one \(first.tensor.does) \"\(tensor.name.printable)\", this one does not",
          remedy: "use the method sum")
      }
    }
  }
}

extension PatchTensor {
  /// What a patch does to the tensor, as a verb: "adds", "replaces", …
  fileprivate var does: String {
    switch operation {
    case .add: "adds"
    case .remove: "removes"
    case .replace: "replaces"
    case .rows: "adds or removes rows of"
    case .same, .change:
      base!.info.dtype.element.isFloat ? "changes" : "changes \(base!.info.dtype.name) values of"
    }
  }
}
