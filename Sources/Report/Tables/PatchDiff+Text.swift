import Apply
import Base

extension PatchDiff {
  private var bases: String {
    if a.identity == b.identity { return "the same, and the same patch" }
    if isSameBase { return "the same: siblings" }
    return b.header.baseRoot == a.header.targetRoot ? "a chain: the second was made on top of the first" : "different"
  }

  /// - Parameter width: of the terminal; nil: as wide as the table.
  package func text(width: Int? = nil) -> String {
    var lines = [
      "bases     \(bases)",
      "tensors   \(shared.count) touched by both, \(onlyA.count) only by the first, \(onlyB.count) only by the second",
    ]
    guard let deltas, let total else {
      if !shared.isEmpty { lines.append("deltas    --base MODEL computes cosine and sign conflicts") }
      return lines.joined(separator: "\n")
    }
    var table = TextTable([
      .init("tensor"), .init("weights", .right, rank: 1), .init("cosine", .right), .init("changed by both", .right),
      .init("sign conflicts", .right),
    ])
    for delta in deltas { table.add(Self.cells(delta)) }
    if deltas.count > 1 { table.setTotals(Self.cells(total)) }
    if !deltas.isEmpty { lines += ["", table.text(width: width)] }
    return lines.joined(separator: "\n")
  }

  private static func cells(_ delta: Delta) -> [String] {
    [
      delta.name, Format.grouped(delta.elements), delta.cosine.map { Format.fixed($0, 4) } ?? "–",
      delta.elements > 0 ? Format.percent(Double(delta.movedByBoth) / Double(delta.elements)) : "–",
      delta.conflictShare.map(Format.percent) ?? "–",
    ]
  }
}
