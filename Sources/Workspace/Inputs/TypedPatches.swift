import Apply
import Base
import PatchFormat

/// Patches as typed, NAME_OR_FILE[@SCALE]: a chain, or siblings to combine.
package enum TypedPatches {
  case chain([PatchStep])
  case stack(StackInput)

  /// - Parameter method: the merge method, if given; siblings are summed without it.
  package init(_ texts: [String], method: MergeMethod? = nil, in workspace: Workspace) throws {
    if texts.count == 1, let (stack, _) = try workspace.stack(texts[0]) {
      guard method == nil else {
        throw VPatchError(
          .refused, stack.name, "is a stack, which defines its own method",
          remedy: "leave out --method and its parameters, or change it with 'vpatch stack add \(stack.name) --method'")
      }
      self = .stack(try StackInput(stack.name, in: workspace))
      return
    }
    let members = try texts.map { try MemberReference($0) }
    try workspace.check(scales: members)
    let opened = try members.map { try workspace.patch($0.name) }
    let areSiblings = opened.count > 1 && Set(opened.map(\.header.baseRoot)).count == 1
    guard areSiblings || method != nil || members.contains(where: { $0.scale != 1 }) else {
      self = .chain(try [PatchStep].chain(opened))
      return
    }
    let scaled = zip(opened, members).map { (patch: $0, scale: $1.scale) }
    self = .stack(try StackInput(scaled, method: method ?? .sum))
  }
}
