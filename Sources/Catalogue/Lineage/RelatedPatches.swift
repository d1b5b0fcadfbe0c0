import Base
import PatchFormat

/// The patches and stacks related to a patch or a stack.
package struct RelatedPatches: Sendable {
  /// The first checkpoint of the chain: no patch of the store produces it.
  package let root: ContentDigest
  /// What is known of it; nil if it was never seen.
  package let base: Base?
  /// The patches from there to the subject's base, each on top of the one before.
  package let chain: [StoredPatch]
  /// Patches on top of the subject, oldest first, like the next two.
  package let after: [StoredPatch]
  /// Patches of the same base.
  package let siblings: [StoredPatch]
  /// Stacks that contain the subject; for a stack, other stacks of its base.
  package let stacks: [StoredStack]
}

extension Store {
  /// - Parameters:
  ///   - identity: of a patch, whether or not it is in the store.
  ///   - base: the root of its base.
  ///   - target: the root of its target.
  package func relatedPatches(ofPatch identity: ContentDigest, base: ContentDigest, target: ContentDigest) throws
    -> RelatedPatches
  {
    let (root, chain) = try chain(to: base, notThrough: target)
    return RelatedPatches(
      root: root, base: try bases().first { $0.root == root }, chain: chain,
      after: try made(from: target).filter { $0.identity != identity },
      siblings: try made(from: base).filter { $0.identity != identity },
      stacks: try stacks().filter { stack in stack.definition.members.contains { $0.identity == identity } })
  }

  package func relatedPatches(ofStack stack: StackDefinition) throws -> RelatedPatches {
    let (root, chain) = try chain(to: stack.base, notThrough: nil)
    return RelatedPatches(
      root: root, base: try bases().first { $0.root == root }, chain: chain, after: [], siblings: [],
      stacks: try stacks().filter { $0.definition.base == stack.base && $0.definition != stack })
  }

  private func made(from root: ContentDigest) throws -> [StoredPatch] {
    var filter = PatchFilter()
    filter.base = root
    return try patches(filter).reversed()
  }

  /// The patches that lead to a checkpoint. Of several patches with the same target, uses the oldest.
  /// - Parameter end: the subject's target. If patches form a cycle, the chain begins there.
  private func chain(to target: ContentDigest, notThrough end: ContentDigest?) throws -> (
    root: ContentDigest, chain: [StoredPatch]
  ) {
    var (root, chain) = (target, [StoredPatch]())
    var seen: Set<ContentDigest> = end.map { [$0] } ?? []
    while seen.insert(root).inserted {
      var filter = PatchFilter()
      filter.target = root
      guard let patch = try patches(filter).last, !seen.contains(patch.base) else { break }
      chain.insert(patch, at: 0)
      root = patch.base
    }
    return (root, chain)
  }
}
