/// Things of different sizes in portions that are worked on together.
package enum Batches {
  /// Ranges of at most `limit` in all, each of at least one.
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
