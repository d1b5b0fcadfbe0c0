/// Where tokens are, on three axes: time, height and width of Qwen's M-RoPE (Wang et al., arXiv 2409.12191, section
/// 2.1). On text all three are the same; models with one axis use the first.
struct TokenPositions: Equatable, Sendable {
  private(set) var axes: [[Int32]] = [[], [], []]

  /// Puts a sequence behind the others.
  /// - Parameters:
  ///   - first: the position of its first token.
  ///   - images: where images lie in it. One with columns takes one moment, and rows and columns from its first position
  ///     on; what follows it is behind the larger of both.
  mutating func append(_ count: Int, from first: Int, images: [(place: Range<Int>, grid: ImageGrid)]) {
    var (token, position) = (0, Int32(first))
    func text(upTo end: Int, _ axes: inout [[Int32]]) {
      for axis in axes.indices { axes[axis] += (0..<Int32(end - token)).map { position + $0 } }
      position += Int32(end - token)
      token = end
    }
    for (place, grid) in images {
      guard let columns = grid.columns else { continue }
      text(upTo: place.lowerBound, &axes)
      for i in 0..<grid.tokens {
        axes[0].append(position)
        axes[1].append(position + Int32(i / columns))
        axes[2].append(position + Int32(i % columns))
      }
      position += Int32(max(grid.tokens / columns, columns))
      token = place.upperBound
    }
    text(upTo: count, &axes)
  }

  /// Those of some tokens.
  subscript(rows: Range<Int>) -> TokenPositions {
    var part = TokenPositions()
    part.axes = axes.map { Array($0[rows]) }
    return part
  }

  /// The first position behind some tokens.
  func next(after rows: Range<Int>) -> Int {
    axes.compactMap { $0[rows].max() }.max().map { Int($0) + 1 } ?? 0
  }
}
