import Base

/// The tree of bases, patches, patches made from those, and stacks.
///
///     ○ base
///     ├─● patch
///     │ ● a patch on top of it: a chain
///     └─◆ stack
package struct Lineage: Sendable {
  package enum Node: Sendable {
    /// A checkpoint that no patch of the store produces.
    case base(Base)
    case patch(StoredPatch)
    case stack(StoredStack)
  }

  /// A node, and the tree lines to its left.
  package struct Line: Sendable {
    package let graph: String
    package let node: Node
  }

  private let bases: [Base]
  private let children: [ContentDigest: [Node]]

  /// - Parameters:
  ///   - patches: in the order in which children are drawn.
  ///   - around: a patch; shows only its ancestors, its descendants, and the stacks with one of those.
  package init(bases: [Base], patches: [StoredPatch], stacks: [StoredStack], around: ContentDigest? = nil) {
    var patches = patches
    var stacks = stacks
    if let around {
      let kept = Self.relatives(of: around, patches)
      patches.removeAll { !kept.contains($0.identity) }
      stacks.removeAll { stack in !stack.definition.members.contains { kept.contains($0.identity) } }
    }
    var children: [ContentDigest: [Node]] = [:]
    for patch in patches { children[patch.base, default: []].append(.patch(patch)) }
    for stack in stacks { children[stack.definition.base, default: []].append(.stack(stack)) }
    self.children = children
    let made = Set(patches.map(\.target))
    // If patches form a cycle, none of their bases comes first. Then the one seen first does.
    let used = bases.filter { children[$0.root] != nil }
    self.bases = used.filter { !made.contains($0.root) } + used.filter { made.contains($0.root) }
  }

  private static func relatives(of identity: ContentDigest, _ patches: [StoredPatch]) -> Set<ContentDigest> {
    func walk(_ from: (StoredPatch) -> ContentDigest, _ to: (StoredPatch) -> ContentDigest) -> Set<ContentDigest> {
      let byRoot = Dictionary(grouping: patches, by: to)
      var found: Set<ContentDigest> = []
      var rest = patches.filter { $0.identity == identity }
      while let patch = rest.popLast() {
        if found.insert(patch.identity).inserted { rest += byRoot[from(patch)] ?? [] }
      }
      return found
    }
    return walk(\.base, \.target).union(walk(\.target, \.base))
  }

  /// - Parameter root: shows only this checkpoint and its descendants. It may be a patch's target.
  package func lines(from root: ContentDigest? = nil) -> [Line] {
    var lines: [Line] = []
    var drawn: Set<ContentDigest> = []
    for base in bases where root == nil || base.root == root {
      // A base that is a patch's target was already drawn below that patch, except in a cycle.
      let below = unseen(base.root, drawn)
      guard !below.isEmpty else { continue }
      lines.append(Line(graph: "○ ", node: .base(base)))
      var rest = Self.branches(below, "")
      while let (node, lead, indent) = rest.popLast() {
        guard case .patch(let patch) = node else {
          lines.append(Line(graph: lead + "◆ ", node: node))
          continue
        }
        guard drawn.insert(patch.identity).inserted else { continue }
        lines.append(Line(graph: lead + "● ", node: node))
        let below = unseen(patch.target, drawn)
        rest += below.count == 1 ? [(below[0], indent, indent)] : Self.branches(below, indent)
      }
    }
    return lines
  }

  private func unseen(_ root: ContentDigest, _ drawn: Set<ContentDigest>) -> [Node] {
    (children[root] ?? []).filter { node in
      if case .patch(let patch) = node { !drawn.contains(patch.identity) } else { true }
    }
  }

  /// Reversed, since they are taken from the end.
  private static func branches(_ nodes: [Node], _ indent: String) -> [(Node, String, String)] {
    nodes.enumerated().map { i, node in
      i == nodes.count - 1 ? (node, indent + "└─", indent + "  ") : (node, indent + "├─", indent + "│ ")
    }.reversed()
  }
}

extension Store {
  /// - Parameter around: see `Lineage`.
  package func lineage(around: ContentDigest? = nil) throws -> Lineage {
    Lineage(bases: try bases(), patches: try patches().reversed(), stacks: try stacks(), around: around)
  }
}
