/// Groups items of different sizes into batches.
package enum Batches {
  /// Ranges whose sizes add up to at most `limit`, each with at least one item.
  package static func split(_ sizes: [Int], limit: Int) -> [Range<Int>] {
    var portions: [Range<Int>] = []
    var (start, sum) = (0, 0)
    for (i, size) in sizes.enumerated() {
      if i > start, sum + size > limit {
        portions.append(start..<i)
        (start, sum) = (i, 0)
      }
      sum += size
    }
    return start < sizes.count ? portions + [start..<sizes.count] : portions
  }
}
