import Apply
import PatchFormat

/// Patches as typed, NAME_OR_FILE[@SCALE]: a chain, or siblings to combine.
package enum TypedPatches {
  case chain([PatchStep])
  case stack(StackInput)

  /// - Parameter method: the merge method, if given; siblings are summed without it.
  package init(_ texts: [String], method: MergeMethod? = nil, in workspace: Workspace) throws {
    let members = try texts.map { try MemberReference($0) }
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
