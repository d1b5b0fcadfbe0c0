import CCompute

/// Pseudorandom numbers that depend on the seed only, on every machine: SplitMix64 (Steele, Lea and Flood, OOPSLA
/// 2014).
package struct SeededRandom: RandomNumberGenerator, Equatable, Sendable {
  package private(set) var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return vp_mix64(state)
  }

  /// Uniform in 0 ..< 1.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A random permutation of 0 ..< count (Fisher and Yates). Not the library's shuffle, which may change between
  /// versions.
  package mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in order.indices.dropFirst().reversed() { order.swapAt(i, Int(next() % UInt64(i + 1))) }
    return order
  }
}
