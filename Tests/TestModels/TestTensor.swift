import Checkpoints

/// A tensor to be written into a test's checkpoint.
package struct TestTensor: Sendable, Equatable {
  package var name: String
  package var dtype: String
  package var shape: [Int]
  package var bytes: [UInt8]

  package init(_ name: String, _ dtype: String, _ shape: [Int], bytes: [UInt8]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  package init<T>(_ name: String, _ dtype: String, _ shape: [Int], _ elements: [T]) {
    self.init(name, dtype, shape, bytes: elements.withUnsafeBytes { Array($0) })
  }

  package static func bf16(_ name: String, _ shape: [Int], _ values: [Float]) -> TestTensor {
    TestTensor(name, "BF16", shape, values.map { UInt16($0.bitPattern >> 16) })
  }

  package static func f32(_ name: String, _ shape: [Int], _ values: [Float]) -> TestTensor {
    TestTensor(name, "F32", shape, values)
  }

  package var info: TensorInfo {
    TensorInfo(name: name, dtype: DType(dtype)!, shape: shape, byteCount: bytes.count)
  }

  /// bf16 weights of a plausible spread, the same for the same name and seed.
  package static func weights(_ name: String, _ shape: [Int], seed: UInt64 = 0) -> TestTensor {
    var random = TestRandom(name.utf8.reduce(seed &+ 1) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    return bf16(name, shape, (0..<shape.reduce(1, *)).map { _ in random.normal() * 0.02 })
  }

  /// The same with about half of its 16-bit words moved by a few units in the last place.
  package func tuned(seed: UInt64 = 1) -> TestTensor {
    var random = TestRandom(name.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    var copy = self
    for i in stride(from: 0, to: bytes.count - 1, by: 2) where random.next() & 1 == 0 {
      let word = UInt16(bytes[i]) | UInt16(bytes[i + 1]) << 8
      let moved = word &+ UInt16(truncatingIfNeeded: Int(random.next() % 7) - 3)
      copy.bytes[i] = UInt8(truncatingIfNeeded: moved)
      copy.bytes[i + 1] = UInt8(moved >> 8)
    }
    return copy
  }

  package func renamed(_ name: String) -> TestTensor {
    var copy = self
    copy.name = name
    return copy
  }
}

/// A small generator, so that tests have the same numbers everywhere.
package struct TestRandom: RandomNumberGenerator {
  private var state: UInt64
  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Nearly normal: the sum of twelve.
  package mutating func normal() -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(next() >> 40) / Float(1 << 24) }
  }
}
