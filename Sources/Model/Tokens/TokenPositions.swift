/// Positions of tokens on three axes: time, height and width of Qwen's M-RoPE (Wang et al., arXiv 2409.12191, section
/// 2.1). For text all three are equal; models with one axis use the first.
struct TokenPositions: Equatable, Sendable {
  private(set) var axes: [[Int32]] = [[], [], []]

  /// Appends a sequence.
  /// - Parameters:
  ///   - first: the position of its first token.
  ///   - images: ranges of images in it. An image with columns has one time position, and rows and columns counted from
  ///     its first position; the next position follows the larger of both.
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

  /// The positions of some tokens.
  subscript(rows: Range<Int>) -> TokenPositions {
    var part = TokenPositions()
    part.axes = axes.map { Array($0[rows]) }
    return part
  }

  /// The first position after some tokens.
  func next(after rows: Range<Int>) -> Int {
    axes.compactMap { $0[rows].max() }.max().map { Int($0) + 1 } ?? 0
  }
}
