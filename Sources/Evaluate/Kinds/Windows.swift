/// A document cut into pieces that a model can see at once.
struct Window: Equatable {
  /// Which tokens the model sees.
  let tokens: Range<Int>
  /// Which of them are scored: those that no window before has scored, but never the document's first.
  let scored: Range<Int>

  /// Windows of `context` tokens, each beginning `stride` after the one before it, up to the document's end. Every
  /// token but the first is scored once, and, behind the first window, with at least `context` − `stride` tokens before it.
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
