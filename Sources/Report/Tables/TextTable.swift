/// A table in plain text: a header, a rule, rows, and a line of totals if there is one.
///
///     component          weights  changed
///     ────────────────  ────────  ───────
///     self_attn.q_proj   331,776    47.1%
///     ────────────────  ────────  ───────
///     all                331,776    47.1%
package struct TextTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  package struct Column: Sendable {
    package let title: String
    package let alignment: Alignment

    package init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
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
  package func text() -> String {
    let titles = columns.map(\.title)
    let widths = columns.indices.map { i in
      ([titles] + rows + (totals.map { [$0] } ?? [])).reduce(0) { max($0, $1[i].columnWidth) }
    }
    let rule = widths.map { String(repeating: "─", count: $0) }
    var lines = [titles, rule] + rows
    if let totals { lines += [rule, totals] }
    return lines.map { line($0, widths) + "\n" }.joined()
  }

  /// The same without the last line feed.
  package var lines: String { String(text().dropLast()) }

  private func fitted(_ cells: [String]) -> [String] {
    precondition(cells.count <= columns.count, "a row has more cells than the table has columns")
    return cells.map(\.printable) + [String](repeating: "", count: columns.count - cells.count)
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for i in columns.indices {
      let padding = String(repeating: " ", count: widths[i] - cells[i].columnWidth)
      line += (i > 0 ? "  " : "") + (columns[i].alignment == .left ? cells[i] + padding : padding + cells[i])
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}

extension String {
  /// How many columns of a terminal the text takes: East Asian letters and emoji two, marks that combine none.
  package var columnWidth: Int {
    // Nearly all there is, and much faster than looking for characters.
    if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
    return reduce(0) { width, character in
      let scalar = character.unicodeScalars.first!
      return width + (scalar.isWide ? 2 : scalar.properties.generalCategory == .nonspacingMark ? 0 : 1)
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isWide: Bool {
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }
}
