import Apply
import Base
import Catalogue
import Checkpoints
import Measure
import PatchFormat
import Report

/// Prints a stack of the store as text or as JSON.
struct StackShow {
  let stored: StoredStack
  let store: Store
  let common: CommonOptions
  let base: Checkpoint?

  init(_ stored: StoredStack, _ store: Store, _ common: CommonOptions, base: Checkpoint? = nil) {
    self.stored = stored
    self.store = store
    self.common = common
    self.base = base
  }

  /// - Parameter isReport: the stack was just changed.
  func print(isReport: Bool = false) throws {
    let members = try stored.definition.members.map { member in
      Member(
        member: member, patch: try store.patch(member.identity, threads: common.work.threads),
        label: try store.label(member.identity) ?? member.identity.short)
    }
    let overlap = StackOverlap(members.map(\.patch))
    let report = try ForgettingReport(ofStack: stored.definition, store)
    let pairs = try comparisons(overlap)
    let result = try result(members.map(\.patch))
    common.print(
      json(members, overlap, report, pairs, result), isReport: isReport,
      text: text(members, overlap, report, pairs, result))
  }

  /// What is known of the stack's result.
  private struct Result {
    /// Why it cannot be made; nil if it can.
    var refusal: VPatchError?
    /// What becomes infinite or NaN; nil if the stack was not made yet and no base is given.
    var notFinite: [NotFinite]?
  }

  /// A stack that an earlier version of vpatch accepted may be refused now; it is shown anyway.
  private func result(_ patches: [Patch]) throws -> Result {
    guard !patches.isEmpty else { return Result() }
    do {
      let merge = try Merge(stored.definition, patches: patches)
      if let base { return Result(notFinite: try merge.notFinite(over: ModelView(base), common.work)) }
      let composite = stored.composite.flatMap { try? store.patch($0, threads: common.work.threads) }
      return Result(notFinite: composite.flatMap { [NotFinite](of: $0) })
    } catch let error as VPatchError where error.code == .refused {
      return Result(refusal: error)
    }
  }

  struct Member {
    let member: StackDefinition.Member
    let patch: Patch
    let label: String
    var reference: String { MemberReference(name: label, scale: member.scale).text }
  }

  /// Weight by weight, if the base is given.
  private func comparisons(_ overlap: StackOverlap) throws -> [PatchDiff.Delta?] {
    guard let base else { return overlap.pairs.map { _ in nil } }
    return try overlap.pairs.map { try PatchDiff($0.a, $0.b, base: base, common.work).total }
  }

  private func label(_ patch: Patch, _ members: [Member]) -> String {
    (members.first { $0.patch.identity == patch.identity }?.label ?? patch.identity.short).printable
  }

  private func text(
    _ members: [Member], _ overlap: StackOverlap, _ report: ForgettingReport, _ deltas: [PatchDiff.Delta?],
    _ result: Result
  ) -> String {
    var lines = [
      "stack       \(stored.name.printable), version \(stored.version)", "base        \(stored.definition.base.hex)",
      "method      \(stored.definition.method.text)", "identity    \(stored.definition.identity.hex)",
    ]
    if let composite = stored.composite { lines.append("composite   \(composite.hex)") }
    if let refusal = result.refusal { lines.append("refused     \(refusal.description)") }
    for found in result.notFinite ?? [] { lines.append("not finite  \(found.text.printable)") }
    lines.append("learning    \(report.summary.learningText)")
    lines.append("forgetting  \(report.summary.forgettingText)")
    guard !members.isEmpty else {
      return (lines + ["", "no members: vpatch stack add \(stored.name.printable) PATCH"]).joined(separator: "\n")
    }
    var table = TextTable([
      .init("member"), .init("scale", .right), .init("recipe"), .init("tensors", .right), .init("learning", .right),
      .init("forgetting", .right),
    ])
    for member in members {
      let summary = ForgettingSummary(
        annotations: member.patch.annotations, base: member.patch.header.baseRoot,
        target: member.patch.header.targetRoot)
      table.add([
        member.label, member.member.scale.shortest, member.patch.annotations["recipe"]?.string ?? "–",
        String(member.patch.header.touched.count), summary.learningText, summary.forgettingText,
      ])
    }
    lines += ["", table.text()]
    lines.append(
      "overlap     \(Format.counted(overlap.alone, "tensor")) touched by one member, \(overlap.shared) by several")
    for (pair, delta) in zip(overlap.pairs, deltas) {
      var line =
        "            \(label(pair.a, members)) and \(label(pair.b, members)): \(Format.counted(pair.tensors, "tensor"))"
      if let delta {
        line +=
          ", cosine \(delta.cosine.map { Format.fixed($0, 3) } ?? "–"), sign conflicts "
          + (delta.conflictShare.map(Format.percent) ?? "–")
      }
      lines.append(line)
    }
    if base == nil, overlap.shared > 0 { lines.append("            --base MODEL compares their changes") }
    return lines.joined(separator: "\n")
  }

  private func json(
    _ members: [Member], _ overlap: StackOverlap, _ report: ForgettingReport, _ deltas: [PatchDiff.Delta?],
    _ result: Result
  ) -> JSON {
    let labels = Dictionary(uniqueKeysWithValues: members.map { ($0.member.identity, $0.label) })
    let definition = stored.definition.json { [JSON.Member("name", .string(labels[$0] ?? $0.short))] }
    let pairs = zip(overlap.pairs, deltas).map { pair, delta in
      JSON.dictionary([
        "a": .string(pair.a.identity.hex), "b": .string(pair.b.identity.hex), "tensors": JSON(pair.tensors),
        "cosine": delta?.cosine.map { JSON($0) }, "conflict_share": delta?.conflictShare.map { JSON($0) },
      ])
    }
    return .object(
      [JSON.Member("name", .string(stored.name)), JSON.Member("version", JSON(stored.version))]
        + definition.object! + [
          JSON.Member("composite", stored.composite.map { .string($0.hex) } ?? .null),
          JSON.Member("refused", result.refusal.map { .string($0.description) } ?? .null),
          JSON.Member("not_finite", result.notFinite?.json ?? .null), JSON.Member("forgetting", report.json),
          JSON.Member(
            "overlap",
            .dictionary([
              "touched_by_one": JSON(overlap.alone), "touched_by_several": JSON(overlap.shared), "pairs": .array(pairs),
            ])),
        ])
  }
}
