import PatchFormat

/// Text for HTML pages.
enum HTML {
  /// Text that is shown as it is, in an element or a quoted attribute. Control characters and marks that turn the
  /// direction of writing are made visible: tensor names come from files that anyone may have written.
  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.printable.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// A table whose first row holds `<th>`; the cells are HTML. Columns from `numeric` on are aligned at the right.
  static func table(_ titles: [String], numeric: Int, rows: [[String]], class name: String = "") -> String {
    func row(_ cells: [String], _ tag: String) -> String {
      let cells = cells.enumerated().map { i, cell in
        "<\(tag)\(i >= numeric ? " class=\"n\"" : "")>\(cell)</\(tag)>"
      }
      return "<tr>\(cells.joined())</tr>\n"
    }
    return """
      <div class="scroll"><table class="\(name)">
      <thead>\(row(titles, "th"))</thead>
      <tbody>
      \(rows.map { row($0, "td") }.joined())</tbody>
      </table></div>

      """
  }
}
