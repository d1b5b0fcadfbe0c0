/// Text for HTML pages.
package enum HTML {
  /// Escaped text for an element or a quoted attribute. Control characters and bidirectional marks are made visible,
  /// since tensor names come from untrusted files.
  package static func escaped(_ text: String) -> String {
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

  /// The same for several lines.
  package static func escapedLines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped(String($0)) }.joined(separator: "\n")
  }

  /// A self-contained page: no network, no fonts, and only its own script.
  /// - Parameters:
  ///   - title: plain text.
  ///   - metric: the key of the metric that heat maps show first (`HTMLStyle`).
  ///   - body: HTML.
  package static func page(title: String, style: String, metric: String, body: String) -> String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'">
    <title>\(escaped(title))</title>
    <style>
    \(style)
    </style>
    </head>
    <body class="m-\(metric)">
    <main>
    \(body)</main>
    <script>
    for (const s of document.querySelectorAll('.switch')) {
      s.hidden = false;
      s.onchange = e => { document.body.className = 'm-' + e.target.value; };
    }
    </script>
    </body>
    </html>

    """
  }

  /// A table whose first row holds `<th>`; the cells are HTML. Columns from `numeric` on are aligned at the right.
  package static func table(_ titles: [String], numeric: Int, rows: [[String]], class name: String = "") -> String {
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
