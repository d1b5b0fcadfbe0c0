import Base
import PatchFormat

// What needs no model: whether the patches are the members, and whether what they do can be combined (spec/stacks.md,
// section 4).

extension Merge {
  /// The members' patches, in the order of the definition.
  package static func match(_ definition: StackDefinition, _ patches: [Patch]) throws -> [Patch] {
    var found: [ContentDigest: Patch] = [:]
    for patch in patches {
      guard patch.header.baseRoot == definition.base else {
        throw VPatchError(
          .refused, patch.label,
          "is made from \(patch.header.baseRoot.short), and the stack's base is \(definition.base.short)",
          remedy: "a stack's patches have one base: put a chain on in its order, or move the patch to this base")
      }
      found[patch.identity] = patch
    }
    let members = Set(definition.members.map(\.identity))
    for patch in patches where !members.contains(patch.identity) {
      throw VPatchError(
        .refused, patch.label, "is no member of the stack", remedy: "leave it out, or add it to the stack")
    }
    return try definition.members.map { member in
      guard let patch = found[member.identity] else {
        throw VPatchError(
          .refused, "patch \(member.identity.short)", "is in the stack, and its file is not given",
          remedy: "give all of the stack's patches")
      }
      return patch
    }
  }

  /// A tensor that cannot be computed with comes out of a stack as every contributor makes it, or not at all.
  func checkReplacement(_ tensor: TouchedTensor) throws {
    let first = tensor.contributors[0]
    let name = "\"\(tensor.name.printable)\""
    for other in tensor.contributors.dropFirst() where other.tensor.target != first.tensor.target {
      throw VPatchError(
        .refused, other.patch.label,
        "does not go together with \(first.patch.label): the one \(other.tensor.does) \(name), "
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

  /// A mean over all members exists for such a tensor only where all make the same of it; scales do not matter then.
  private func checkMean(_ tensor: TouchedTensor) throws {
    let first = tensor.contributors[0]
    for (patch, member) in zip(patches, rule.members) where member != nil {
      guard tensor.contributors.contains(where: { $0.patch.identity == patch.identity }) else {
        throw VPatchError(
          .refused, patch.label,
          "does not go together with \(first.patch.label) by the method \(definition.method.kind.rawValue): "
            + "that one \(first.tensor.does) \"\(tensor.name.printable)\", this one leaves it as it is",
          remedy: "use the method sum")
      }
    }
  }
}

extension PatchTensor {
  /// "adds", "replaces", …: what a patch does to the tensor.
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
