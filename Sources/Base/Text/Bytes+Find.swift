import CSystem

extension [UInt8] {
  /// The first index of other bytes in a range. (Faster than the standard library's search, which compares at every
  /// index.)
  package func firstPlace(of other: [UInt8], in range: Range<Int>) -> Int? {
    guard !other.isEmpty else { return range.lowerBound }
    guard other.count <= range.count else { return nil }
    return withUnsafeBytes { here in
      other.withUnsafeBytes { there in
        let found = vp_find(here.baseAddress! + range.lowerBound, range.count, there.baseAddress, there.count)
        return found < 0 ? nil : range.lowerBound + found
      }
    }
  }
}
