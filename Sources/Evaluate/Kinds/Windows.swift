/// Part of a document that fits into the model's context.
struct Window: Equatable {
  /// Tokens that the model reads.
  let tokens: Range<Int>
  /// Tokens that are scored: those that no earlier window scored, without the document's first.
  let scored: Range<Int>

  /// Windows of `context` tokens, each beginning `stride` after the last, up to the document's end. Every token but the
  /// first is scored once; after the first window, each has at least `context` − `stride` tokens before it.
  static func over(_ count: Int, context: Int, stride: Int) -> [Window] {
    var windows: [Window] = []
    var (start, done) = (0, 1)
    while done < count {
      let end = min(start + context, count)
      windows.append(Window(tokens: start..<end, scored: done..<end))
      (start, done) = (start + stride, end)
    }
    return windows
  }
}
