extension String {
  /// The text with lines of at most `width` columns, broken at spaces. A word that is wider than a line, such as a long
  /// path, stays whole, so that it can be copied.
  ///
  /// What continues a line begins below its text: after the gap of two spaces that ends a key or the name of an option,
  /// else at the line's own indent.
  /// - Parameter hanging: the least indent of what continues a line that has none.
  package func wrapped(to width: Int, hanging: Int = 0) -> String {
    split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.count <= width && String(line).columnWidth <= width ? String(line) : Self.wrapped(line, width, hanging)
    }.joined(separator: "\n")
  }

  private static func wrapped(_ line: Substring, _ width: Int, _ hanging: Int) -> String {
    let leading = line.prefix { $0 == " " }.count
    let indent = continuation(line, leading, width) ?? (leading > 0 ? leading : hanging)
    var lines: [String] = []
    var current = String(repeating: " ", count: leading)
    var column = leading
    var isEmpty = true
    var rest = line.dropFirst(leading)
    while !rest.isEmpty {
      let spaces = rest.prefix { $0 == " " }
      let word = rest.dropFirst(spaces.count).prefix { $0 != " " }
      rest = rest.dropFirst(spaces.count + word.count)
      let wide = String(word).columnWidth
      if !isEmpty, column + spaces.count + wide > width {
        lines.append(current)
        current = String(repeating: " ", count: indent) + word
        column = indent + wide
      } else {
        current += spaces + word
        column += spaces.count + wide
      }
      isEmpty = false
    }
    return (lines + [current]).joined(separator: "\n")
  }

  /// Where the text begins after a key; nil if the line has none, or if it leaves too little room.
  private static func continuation(_ line: Substring, _ leading: Int, _ width: Int) -> Int? {
    var column = leading
    var gap = 0
    for character in line.dropFirst(leading) {
      if character == " " {
        gap += 1
      } else {
        if gap >= 2 { return column <= width * 3 / 5 ? column : leading + 4 }
        gap = 0
      }
      column += String(character).columnWidth
    }
    return nil
  }
}
