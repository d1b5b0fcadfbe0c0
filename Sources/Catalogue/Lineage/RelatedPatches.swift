import Base
import PatchFormat

/// What a store has around a patch or a stack.
package struct RelatedPatches: Sendable {
  /// The checkpoint at the beginning: no patch of the store makes it.
  package let root: ContentDigest
  /// What is known of it; nil where it was never seen.
  package let base: Base?
  /// The patches from there to what the subject is made from, each on top of the one before.
  package let chain: [StoredPatch]
  /// Made on top of the subject, the oldest first; so with the next two.
  package let after: [StoredPatch]
  /// Made from the same checkpoint.
  package let siblings: [StoredPatch]
  /// Stacks that have the subject; for a stack, other ones of its base.
  package let stacks: [StoredStack]
}

extension Store {
  /// - Parameters:
  ///   - identity: of a patch, whether or not it is in the store.
  ///   - base: the root that it is made from.
  ///   - target: the root that it makes.
  package func relatedPatches(ofPatch identity: ContentDigest, base: ContentDigest, target: ContentDigest) throws -> RelatedPatches {
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

  /// Where several patches make a checkpoint, the oldest stands for them.
  /// - Parameter end: what the subject makes: where patches go in a circle, the chain begins there.
  private func chain(to target: ContentDigest, notThrough end: ContentDigest?) throws -> (root: ContentDigest, chain: [StoredPatch]) {
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
