import Apply
import Base
import Catalogue
import Checkpoints
import Measure
import PatchFormat

/// What is known of a stack of the store.
package struct StackFacts {
  package let stored: StoredStack
  package let members: [Member]
  package let overlap: StackOverlap
  /// For each pair of the overlap, how the two change its weights; nil without the base.
  package let deltas: [PatchDiff.Delta?]
  package let report: ForgettingReport
  /// Why it cannot be made; nil if it can.
  package let refusal: VPatchError?
  /// What becomes infinite or NaN; nil if the stack was not made yet and no base is given.
  package let notFinite: [NotFinite]?
  /// The paths where the store saw its base, latest first.
  package let basePaths: [String]

  package struct Member {
    package let member: StackDefinition.Member
    package let patch: Patch
    package let label: String
  }

  /// - Parameter base: compares the members' changes weight by weight.
  /// - Throws: `io` for a member that the store lost.
  package init(_ stored: StoredStack, in workspace: Workspace, base: SafetensorsCheckpoint? = nil) throws {
    let (store, work) = (try workspace.store.open(), workspace.work)
    self.stored = stored
    basePaths = try store.sightings(stored.definition.base)
    members = try stored.definition.members.map { member in
      Member(
        member: member, patch: try store.patch(member.identity, threads: work.threads),
        label: try store.label(member.identity) ?? member.identity.short)
    }
    let patches = members.map(\.patch)
    overlap = StackOverlap(patches)
    report = try ForgettingReport(ofStack: stored.definition, store)
    deltas = try overlap.pairs.map { pair in
      try base.map { try PatchDiff(pair.a, pair.b, base: $0, work).total } ?? nil
    }
    // A stack that an earlier version of vpatch accepted may be refused now; it is shown anyway.
    (refusal, notFinite) = try Self.result(of: stored, patches, store, base, work)
  }

  private static func result(
    of stored: StoredStack, _ patches: [Patch], _ store: Store, _ base: SafetensorsCheckpoint?, _ work: WorkOptions
  ) throws -> (refusal: VPatchError?, notFinite: [NotFinite]?) {
    guard !patches.isEmpty else { return (nil, nil) }
    do {
      let merge = try Merge(stored.definition, patches: patches)
      if let base { return (nil, try merge.notFinite(over: ModelView(base), work)) }
      let composite = stored.composite.flatMap { try? store.patch($0, threads: work.threads) }
      return (nil, composite.flatMap { [NotFinite](of: $0) })
    } catch let error as VPatchError where error.code == .refused {
      return (error, nil)
    }
  }

  /// What a user calls a patch.
  package func label(_ patch: Patch) -> String {
    members.first { $0.patch.identity == patch.identity }?.label ?? patch.identity.short
  }
}
