/// A text and its boundaries.
struct Pieces: Sendable {
  var scalars: [Unicode.Scalar]
  /// The end of each piece, ascending; no piece is empty.
  var ends: [Int]
  /// Whether it is at the beginning of the encoded text.
  var isFirst: Bool

  init(_ scalars: [Unicode.Scalar], isFirst: Bool) {
    self.scalars = scalars
    self.isFirst = isFirst
    ends = scalars.isEmpty ? [] : [scalars.count]
  }

  var ranges: [Range<Int>] {
    var start = 0
    return ends.map { end in
      defer { start = end }
      return start..<end
    }
  }

  /// Splits each piece at the boundaries from `cut`: ends relative to the piece, the last being the piece's own.
  mutating func cut(_ cut: (UnsafeBufferPointer<Unicode.Scalar>) -> [Int]) {
    var new: [Int] = []
    scalars.withUnsafeBufferPointer { text in
      for range in ranges {
        for end in cut(UnsafeBufferPointer(rebasing: text[range])) where range.lowerBound + end > new.last ?? 0 {
          new.append(range.lowerBound + end)
        }
      }
    }
    ends = new
  }

  /// Replaces each piece by another text, which may be empty.
  mutating func replace(_ replacement: (ArraySlice<Unicode.Scalar>, _ isFirst: Bool, inout [Unicode.Scalar]) -> Void) {
    var (text, ends): ([Unicode.Scalar], [Int]) = ([], [])
    text.reserveCapacity(scalars.count + scalars.count / 4)
    for range in ranges {
      replacement(scalars[range], isFirst && range.lowerBound == 0, &text)
      if text.count > ends.last ?? 0 { ends.append(text.count) }
    }
    (self.scalars, self.ends) = (text, ends)
  }
}
