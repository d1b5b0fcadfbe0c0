import Rainbow

/// Colours of what is printed. They follow from the form of the lines, so that no other code knows of them.
enum Coloring {
  /// Headers of tables and headings of help are bold, rules dim.
  static func output(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return lines.enumerated().map { i, line in
      if isRule(line) { return apply(line, styles: [.dim]) }
      if i + 1 < lines.count, isRule(lines[i + 1]) { return apply(line, styles: [.bold]) }
      guard let heading = heading(of: line) else { return line }
      return apply(heading, styles: [.bold]) + line.dropFirst(heading.count)
    }.joined(separator: "\n")
  }

  /// The word that says what kind of message it is gets a colour.
  static func message(_ text: String) -> String {
    for (word, color) in [
      ("vpatch:", NamedColor.red), ("Error:", .red), ("warning:", .yellow), ("note:", .cyan),
    ] where text.hasPrefix(word) {
      return apply(word, color: color, styles: [.bold]) + text.dropFirst(word.count)
    }
    return text
  }

  private static func isRule(_ line: String) -> Bool { line.hasPrefix("─") && line.allSatisfy { "─ ".contains($0) } }

  /// "OPTIONS:", "USAGE:", "EXAMPLES"
  private static func heading(of line: String) -> String? {
    let word: Substring = line.prefix { $0.isUppercase || $0 == " " }
    let rest: Substring = line.dropFirst(word.count)
    guard word.count(where: \.isUppercase) > 3, rest.isEmpty || rest.first == ":" else { return nil }
    return String(word) + String(rest.prefix(1))
  }

  private static func apply(_ text: String, color: NamedColor? = nil, styles: [Style]) -> String {
    Rainbow.generateString(
      for: Rainbow.Entry(segments: [.init(text: text, color: color.map { .named($0) }, styles: styles)]))
  }
}
