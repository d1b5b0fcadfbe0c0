import Base
import Catalogue
import Checkpoints
import Measure
import PatchFormat
import Report
import Workspace

/// Prints a stack of the store as text or as JSON.
struct StackShow {
  let facts: StackFacts
  let common: CommonOptions
  let hasBase: Bool

  init(_ stored: StoredStack, in workspace: Workspace, _ common: CommonOptions, base: SafetensorsCheckpoint? = nil)
    throws
  {
    facts = try StackFacts(stored, in: workspace, base: base)
    self.common = common
    hasBase = base != nil
  }

  /// - Parameter isReport: the stack was just changed.
  func print(isReport: Bool = false) {
    if isReport { common.report(json, text: text) } else { common.print(json, text: text) }
  }

  private var text: String {
    let (stored, members, overlap, report) = (facts.stored, facts.members, facts.overlap, facts.report)
    var lines = [
      "stack       \(stored.name.printable), version \(stored.version)", "base        \(stored.definition.base.hex)",
      "method      \(stored.definition.method.text)", "identity    \(stored.definition.identity.hex)",
    ]
    if let composite = stored.composite { lines.append("composite   \(composite.hex)") }
    if let refusal = facts.refusal { lines.append("refused     \(refusal.description)") }
    for found in facts.notFinite ?? [] { lines.append("not finite  \(found.text.printable)") }
    lines.append("learning    \(report.summary.learningText)")
    lines.append("forgetting  \(report.summary.forgettingText)")
    guard !members.isEmpty else {
      return (lines + ["", "no members: vpatch stack add \(stored.name.printable) PATCH"]).joined(separator: "\n")
    }
    var table = TextTable([
      .init("member"), .init("scale", .right), .init("recipe", rank: 1), .init("tensors", .right, rank: 2),
      .init("learning", .right), .init("forgetting", .right),
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
    lines += ["", table.text(width: common.width)]
    lines.append(
      "overlap     \(Format.counted(overlap.alone, "tensor")) touched by one member, \(overlap.shared) by several")
    for (pair, delta) in zip(overlap.pairs, facts.deltas) {
      var line =
        "            \(facts.label(pair.a).printable) and \(facts.label(pair.b).printable): \(Format.counted(pair.tensors, "tensor"))"
      if let delta {
        line +=
          ", cosine \(delta.cosine.map { Format.fixed($0, 3) } ?? "–"), sign conflicts "
          + (delta.conflictShare.map(Format.percent) ?? "–")
      }
      lines.append(line)
    }
    if !hasBase, overlap.shared > 0 { lines.append("            --base MODEL compares their changes") }
    return lines.joined(separator: "\n")
  }

  private var json: JSON {
    let (stored, members, overlap, report) = (facts.stored, facts.members, facts.overlap, facts.report)
    let labels = Dictionary(uniqueKeysWithValues: members.map { ($0.member.identity, $0.label) })
    let definition = stored.definition.json { [JSON.Member("name", .string(labels[$0] ?? $0.short))] }
    let pairs = zip(overlap.pairs, facts.deltas).map { pair, delta in
      JSON.dictionary([
        "a": .string(pair.a.identity.hex), "b": .string(pair.b.identity.hex), "tensors": JSON(pair.tensors),
        "cosine": delta?.cosine.map { JSON($0) }, "conflict_share": delta?.conflictShare.map { JSON($0) },
      ])
    }
    return .object(
      [JSON.Member("name", .string(stored.name)), JSON.Member("version", JSON(stored.version))]
        + definition.object! + [
          JSON.Member("base_paths", .array(facts.basePaths.map { .string($0) })),
          JSON.Member("composite", stored.composite.map { .string($0.hex) } ?? .null),
          JSON.Member("refused", facts.refusal.map { .string($0.description) } ?? .null),
          JSON.Member("not_finite", facts.notFinite?.json ?? .null), JSON.Member("forgetting", report.json),
          JSON.Member(
            "overlap",
            .dictionary([
              "touched_by_one": JSON(overlap.alone), "touched_by_several": JSON(overlap.shared), "pairs": .array(pairs),
            ])),
        ])
  }
}
