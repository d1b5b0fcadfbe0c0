extension StructuredMutator {
  private static let words = [
    "{{", "}}", "{%", "%}", "{#", "#}", "-%}", "{%-", "for", "in", "if", "elif", "else", "endif", "endfor", "set",
    "endset",
    "macro", "endmacro", "call", "endcall", "filter", "endfilter", "with", "endwith", "generation", "endgeneration",
    "break",
    "continue", "recursive", "is", "not", "and", "or", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "=", "==", "<",
    "+",
    "-", "*", "/", "//", "%", "**", "~", "'a'", "'é'", "0", "1", "-1", "1.5", "9223372036854775807", "none", "true",
    "messages", "tools", "loop", "namespace", "range", "dict", "caller", "kwargs", "varargs", "content", "role",
    "tojson",
    "map", "select", "join", "trim", "replace", "split", "indent", "sort", "items", "list", "length", "batch", "format",
    " ",
    "\n", "x", "y", "defined", "string", "raise_exception", "strftime_now", "[1:]", "[::-1]", "loop(x)", "* 100000",
    "range(100000)", "|list", "|join('x')", ".center(9999999)", "cycler(1)", "\\u0301", "\u{1F600}",
  ].map { Array($0.utf8) }

  /// A template with some of its words and marks changed: most stay templates.
  package mutating func template(_ text: [UInt8]) -> [UInt8] {
    if below(8) == 0 { return bytes(text) }
    var tokens: [[UInt8]] = []
    var wasWord = false
    for byte in text {
      let isWord = byte >= 0x80 || byte == 0x5F || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
      if isWord, wasWord { tokens[tokens.count - 1].append(byte) } else { tokens.append([byte]) }
      wasWord = isWord
    }
    for _ in 0...below(4) {
      let at = below(tokens.count + 1)
      switch below(6) {
      case 0 where at < tokens.count: tokens.remove(at: at)
      case 1 where at < tokens.count: tokens[at] = Self.words[below(Self.words.count)]
      case 2 where at < tokens.count: tokens.swapAt(at, below(tokens.count))
      case 3 where !tokens.isEmpty:
        // A piece once more, somewhere else.
        let start = below(tokens.count)
        tokens.insert(contentsOf: tokens[start..<min(start + 1 + below(24), tokens.count)], at: at)
      default: tokens.insert(Self.words[below(Self.words.count)], at: at)
      }
    }
    return Array(tokens.joined())
  }
}
