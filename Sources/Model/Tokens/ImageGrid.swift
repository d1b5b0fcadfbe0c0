/// The tokens of an image.
struct ImageGrid: Equatable, Sendable {
  let tokens: Int
  /// Number of columns if positions have three axes (M-RoPE). Nil: positions are sequential, as for text.
  let columns: Int?

  init(tokens: Int, columns: Int? = nil) {
    precondition(columns.map { $0 > 0 && tokens % $0 == 0 } ?? true, "tokens do not fill the columns")
    self.tokens = tokens
    self.columns = columns
  }

  /// The ranges of images among ids: each image takes the next unassigned run of image tokens.
  /// - Returns: nil if ids and images do not match.
  static func places(_ grids: [ImageGrid], in ids: [Int32], token: Int32?) -> [Range<Int>]? {
    guard !grids.isEmpty else { return [] }
    guard let token else { return nil }
    var places: [Range<Int>] = []
    var position = 0
    for grid in grids {
      guard let start = ids[position...].firstIndex(of: token), start + grid.tokens <= ids.count,
        ids[start..<start + grid.tokens].allSatisfy({ $0 == token })
      else { return nil }
      position = start + grid.tokens
      places.append(start..<position)
    }
    return ids[position...].contains(token) ? nil : places
  }
}
