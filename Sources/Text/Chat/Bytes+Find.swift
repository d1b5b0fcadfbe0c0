import CSystem

extension [UInt8] {
  /// Whether these bytes are there, one behind the other. (The standard library's search compares at every place.)
  func contains(_ other: [UInt8], in range: Range<Int>? = nil) -> Bool {
    let range = range ?? indices
    guard !other.isEmpty else { return true }
    guard other.count <= range.count else { return false }
    return withUnsafeBytes { here in
      other.withUnsafeBytes { there in
        vp_find(here.baseAddress! + range.lowerBound, range.count, there.baseAddress!, there.count) >= 0
      }
    }
  }
}
