import Base
import PatchFormat

extension StackDefinition {
  /// A stack of open patches.
  /// - Parameter base: the root of the required base; nil: the base of the first patch.
  /// - Throws: `refused` where they were made from different bases.
  package init(_ members: [(patch: Patch, scale: Double)], method: MergeMethod, base: ContentDigest? = nil) throws {
    guard let first = members.first else {
      throw VPatchError(.refused, nil, "a stack needs at least one patch", remedy: "name its members")
    }
    try members.map(\.patch).requireDistinct()
    let base = base ?? first.patch.header.baseRoot
    for (patch, _) in members where patch.header.baseRoot != base {
      let isChain = members.contains { $0.patch.header.targetRoot == patch.header.baseRoot }
      let other =
        members.first { $0.patch.header.baseRoot == base }.map { ", \($0.patch.label) from" } ?? "; the stack's is"
      throw VPatchError(
        .refused, patch.label,
        "was made from another base, \(patch.header.baseRoot.short)\(other) \(base.short): a stack has one base",
        remedy: isChain
          ? "it was made on top of another member: 'vpatch compose' combines the two, 'vpatch rebase' moves it"
          : "'vpatch rebase' moves a patch to another base")
    }
    try self.init(
      base: base, method: method, members: members.map { Member($0.patch.identity, scale: $0.scale) })
  }
}

/// The tensors that members of a stack have in common.
package struct StackOverlap: Sendable {
  /// Number of tensors that only one member touches.
  package let alone: Int
  /// Number of tensors that several members touch.
  package let shared: Int
  /// For each two members with common tensors, how many both touch.
  package let pairs: [(a: Patch, b: Patch, tensors: Int)]

  package init(_ patches: [Patch]) {
    let touched = patches.map { Set($0.header.touched.map(\.name.bytesKey)) }
    var counts: [String: Int] = [:]
    for name in touched.joined() { counts[name, default: 0] += 1 }
    alone = counts.values.count { $0 == 1 }
    shared = counts.count - alone
    var pairs: [(a: Patch, b: Patch, tensors: Int)] = []
    for i in patches.indices {
      for j in patches.indices.dropFirst(i + 1) {
        let common = touched[i].intersection(touched[j]).count
        if common > 0 { pairs.append((patches[i], patches[j], common)) }
      }
    }
    self.pairs = pairs
  }
}

/// The differences between two stacks.
package struct StackDiff: Sendable {
  package let a: StackDefinition
  package let b: StackDefinition

  package init(_ a: StackDefinition, _ b: StackDefinition) {
    self.a = a
    self.b = b
  }

  package enum Change: Equatable, Sendable {
    case base(ContentDigest, ContentDigest)
    case method(MergeMethod, MergeMethod)
    case removed(StackDefinition.Member)
    case added(StackDefinition.Member)
    case scale(ContentDigest, Double, Double)
  }

  /// The most important first; empty where both stacks are equal.
  package var changes: [Change] {
    var changes: [Change] = []
    if a.base != b.base { changes.append(.base(a.base, b.base)) }
    if a.method != b.method { changes.append(.method(a.method, b.method)) }
    let inB = Dictionary(uniqueKeysWithValues: b.members.map { ($0.identity, $0) })
    for member in a.members {
      guard let other = inB[member.identity] else {
        changes.append(.removed(member))
        continue
      }
      if other.scale != member.scale { changes.append(.scale(member.identity, member.scale, other.scale)) }
    }
    let inA = Set(a.members.map(\.identity))
    return changes + b.members.filter { !inA.contains($0.identity) }.map { .added($0) }
  }
}
