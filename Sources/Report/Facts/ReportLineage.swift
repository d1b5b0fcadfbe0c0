import Base

/// The lineage of a patch or a stack, and related patches from a store.
package struct ReportLineage: Sendable {
  package struct Entry: Sendable {
    package let title: String
    /// Recipe, size, learning and forgetting.
    package let details: [String]

    package init(title: String, details: [String]) {
      self.title = title
      self.details = details
    }

    package var json: JSON {
      .dictionary(["title": .string(title), "details": .array(details.map { .string($0) })])
    }
  }

  /// The first checkpoint.
  package let base: Entry
  /// The patches from the base to the subject's own base, in order.
  package let chain: [Entry]
  /// Made on top of the subject.
  package let after: [Entry]
  /// Made from the same checkpoint.
  package let siblings: [Entry]
  /// Stacks that contain it, or that have the same base.
  package let stacks: [Entry]
  /// Why the lineage is incomplete: there is no store, or the patch is not in it. Nil if it is complete.
  package let note: String?

  package init(
    base: Entry, chain: [Entry] = [], after: [Entry] = [], siblings: [Entry] = [], stacks: [Entry] = [],
    note: String? = nil
  ) {
    self.base = base
    self.chain = chain
    self.after = after
    self.siblings = siblings
    self.stacks = stacks
    self.note = note
  }

  package var json: JSON {
    func list(_ entries: [Entry]) -> JSON { .array(entries.map(\.json)) }
    return .dictionary([
      "base": base.json, "chain": list(chain), "after": list(after), "siblings": list(siblings),
      "stacks": list(stacks), "remark": note.map { .string($0) },
    ])
  }
}
