/// A table in plain text: a header, a rule, rows, and a line of totals if there is one.
///
///     component          weights  changed
///     ────────────────  ────────  ───────
///     self_attn.q_proj   331,776    47.1%
///     ────────────────  ────────  ───────
///     all                331,776    47.1%
import Base

package struct TextTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  package struct Column: Sendable {
    package let title: String
    package let alignment: Alignment
    /// Columns of a higher rank are left out first where the table is too wide; those of rank 0 always stay.
    package let rank: Int

    package init(_ title: String, _ alignment: Alignment = .left, rank: Int = 0) {
      self.title = title
      self.alignment = alignment
      self.rank = rank
    }
  }

  package let columns: [Column]
  package private(set) var rows: [[String]] = []
  /// A last row, below a rule of its own.
  package private(set) var totals: [String]?

  package init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row. Missing cells at its end stay empty.
  package mutating func add(_ cells: [String]) { rows.append(fitted(cells)) }

  package mutating func setTotals(_ cells: [String]) { totals = fitted(cells) }

  /// The lines, each ended by a line feed and without spaces at its end.
  /// Control characters in cells are made visible.
  /// - Parameter width: the columns of the terminal; nil: as wide as the cells. A table that is too wide loses its
  ///   columns of the highest rank, and a last line names them; if that is not enough, texts are shortened.
  package func text(width: Int? = nil) -> String {
    let titles = columns.map(\.title)
    let all = [titles] + rows + (totals.map { [$0] } ?? [])
    var widths = columns.indices.map { i in all.reduce(0) { max($0, $1[i].columnWidth) } }
    var shown = Array(columns.indices)
    if let width {
      while Self.sum(widths, shown) > width,
        let last = shown.filter({ columns[$0].rank > 0 }).max(by: { (columns[$0].rank, $0) < (columns[$1].rank, $1) })
      { shown.removeAll { $0 == last } }
      shorten(&widths, shown, to: width)
    }
    let rule = widths.map { String(repeating: "─", count: $0) }
    var lines = [titles, rule] + rows
    if let totals { lines += [rule, totals] }
    let hidden = columns.indices.filter { !shown.contains($0) }.map { columns[$0].title }
    let hint = hidden.isEmpty ? "" : "(--wide also shows: \(hidden.joined(separator: ", ")))\n"
    return lines.map { line($0, widths, shown) + "\n" }.joined() + hint
  }

  /// The same without the last line feed.
  package func lines(width: Int? = nil) -> String { String(text(width: width).dropLast()) }

  private func fitted(_ cells: [String]) -> [String] {
    precondition(cells.count <= columns.count, "a row has more cells than the table has columns")
    return cells.map(\.printable) + [String](repeating: "", count: columns.count - cells.count)
  }

  // MARK: Width

  private static let gap = 2
  /// Texts are not shortened below this.
  private static let leastWidth = 8

  private static func sum(_ widths: [Int], _ shown: [Int]) -> Int {
    shown.reduce(0) { $0 + widths[$1] } + gap * max(0, shown.count - 1)
  }

  /// Makes columns of texts narrower, the widest first. Numbers are never shortened.
  private func shorten(_ widths: inout [Int], _ shown: [Int], to width: Int) {
    while Self.sum(widths, shown) > width {
      let texts = shown.filter { columns[$0].alignment == .left && widths[$0] > Self.leastWidth }
      guard let widest = texts.max(by: { (widths[$0], $1) < (widths[$1], $0) }) else { return }
      widths[widest] -= 1
    }
  }

  private func line(_ cells: [String], _ widths: [Int], _ shown: [Int]) -> String {
    let cells = shown.map { i in
      let cell = cells[i].shortened(to: widths[i])
      let padding = String(repeating: " ", count: widths[i] - cell.columnWidth)
      return columns[i].alignment == .left ? cell + padding : padding + cell
    }
    var line = cells.joined(separator: String(repeating: " ", count: Self.gap))
    while line.last == " " { line.removeLast() }
    return line
  }
}
