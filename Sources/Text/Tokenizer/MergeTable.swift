/// Merges of token pairs, with their results and ranks.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    let rank: UInt32
    let id: UInt32
  }

  private var keys: [UInt64]
  private var merges: [Merge]

  private static let free = UInt64.max

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    keys = [UInt64](repeating: Self.free, count: size)
    merges = [Merge](repeating: Merge(rank: 0, id: 0), count: size)
  }

  /// If a pair is listed twice, the later one counts, as in Hugging Face's code.
  mutating func set(_ left: Int32, _ right: Int32, to merge: Merge) {
    let slot = slot(of: Self.key(left, right))
    keys[slot] = Self.key(left, right)
    merges[slot] = merge
  }

  subscript(left: Int32, right: Int32) -> Merge? {
    let slot = slot(of: Self.key(left, right))
    return keys[slot] == Self.free ? nil : merges[slot]
  }

  private func slot(of key: UInt64) -> Int {
    let hash = key &* 0x9E37_79B9_7F4A_7C15
    var slot = Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(keys.count - 1))
    while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & (keys.count - 1) }
    return slot
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}
