extension String {
  /// The first characters, at most `limit` bytes in all.
  package func prefixBytes(_ limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var (end, bytes) = (startIndex, 0)
    while end < endIndex {
      bytes += self[end].utf8.count
      if bytes > limit { break }
      end = index(after: end)
    }
    return String(self[..<end])
  }
}
