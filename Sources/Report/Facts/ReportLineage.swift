import Base

/// What a patch or a stack is made from, and what is around it: as whoever knows a store tells it.
package struct ReportLineage: Sendable {
  package struct Entry: Sendable {
    package let title: String
    /// Recipe, size, what is known of its forgetting.
    package let details: [String]

    package init(title: String, details: [String]) {
      self.title = title
      self.details = details
    }

    package var json: JSON {
      .dictionary(["title": .string(title), "details": .array(details.map { .string($0) })])
    }
  }

  /// The checkpoint at the beginning.
  package let base: Entry
  /// From the base to what the subject is made from, in their order.
  package let chain: [Entry]
  /// Made on top of the subject.
  package let after: [Entry]
  /// Made from the same checkpoint.
  package let siblings: [Entry]
  /// Stacks that have it, or that are of the same base.
  package let stacks: [Entry]
  /// Why more is not known, where it is not: there is no store, or the patch is not in it.
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
