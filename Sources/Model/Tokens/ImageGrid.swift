/// The tokens that an image takes.
struct ImageGrid: Equatable, Sendable {
  let tokens: Int
  /// Where positions have three axes (M-RoPE): they lie in rows of so many columns. Nil: one behind the other, as text.
  let columns: Int?

  init(tokens: Int, columns: Int? = nil) {
    precondition(columns.map { $0 > 0 && tokens % $0 == 0 } ?? true, "a grid with holes")
    self.tokens = tokens
    self.columns = columns
  }

  /// Where images lie among ids: each the next run of the image token that no image has taken.
  /// - Returns: nil where ids and images do not go together.
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
