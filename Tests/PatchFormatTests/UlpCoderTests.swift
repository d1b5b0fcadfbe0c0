import Testing

@testable import Checkpoints
@testable import PatchFormat

@Suite struct UlpCoderTests {
  @Test(arguments: [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 64, 65, 127, 129, 1023, 1024, 5000, 20_011])
  func bothDirections(count: Int) throws {
    var random = SplitMix(seed: UInt64(count))
    for sigma in [0.0005, 0.02, 3, 3000] {
      let base = (0..<count).map { _ in random.normalBF16() }
      let target = base.map { random.moved($0, by: sigma) }
      try roundTrip(base, target, format: DType.bf16.element, rowLength: 32)
    }
  }

  /// Encodes, decodes with every kernel in both directions, and compares.
  func roundTrip<Word: UlpWord>(_ base: [Word], _ target: [Word], format: ElementFormat, rowLength: Int?) throws {
    let stored = base.withUnsafeBufferPointer { b in
      target.withUnsafeBufferPointer { t in
        UlpEncoder.encode(base: b, target: t, format: format, rowLength: rowLength)
      }
    }
    try stored.withUnsafeBytes { data in
      let decoder = try UlpDecoder<Word>(data, count: base.count, format: format)
      for kernel in Kernel.allCases where kernel.isSupported {
        var result = [Word](repeating: 0, count: base.count)
        try base.withUnsafeBufferPointer { b in
          try result.withUnsafeMutableBufferPointer { try decoder.decode(base: b, into: $0, kernel: kernel) }
        }
        #expect(result == target, "\(kernel)")
        var back = [Word](repeating: 0, count: base.count)
        try target.withUnsafeBufferPointer { t in
          try back.withUnsafeMutableBufferPointer { try decoder.decodeBackward(target: t, into: $0, kernel: kernel) }
        }
        #expect(back == base, "\(kernel)")
      }
    }
  }

  @Test func everyBF16AgainstEveryOther() throws {
    // All values, NaNs and infinities included, moved to a permutation of all values.
    let base = (0..<65536).map { UInt16($0) }
    let target = base.map { $0 &* 40503 &+ 7 }
    try roundTrip(base, target, format: DType.bf16.element, rowLength: 256)
    try roundTrip(base, target, format: DType.f16.element, rowLength: 256)
  }

  @Test func floats32AndFloats8() throws {
    var random = SplitMix(seed: 5)
    let base = (0..<10_000).map { _ in UInt32(random.normalBF16()) << 16 | UInt32(random.next() & 0xFFFF) }
    let target = base.map { $0 &+ UInt32(truncatingIfNeeded: Int(random.next() % 40_001) - 20_000) }
    try roundTrip(base, target, format: DType.f32.element, rowLength: 128)
    let wild = base.map { _ in UInt32(truncatingIfNeeded: random.next()) }
    try roundTrip(base, wild, format: DType.f32.element, rowLength: nil)
    let small = base.map { UInt8(truncatingIfNeeded: $0 >> 24) }
    let smallTarget = small.map { $0 &+ UInt8(random.next() % 3) }
    for name in ["F8_E4M3", "F8_E5M2"] {
      try roundTrip(small, smallTarget, format: DType(name)!.element, rowLength: 64)
      try roundTrip(small, wild.map { UInt8(truncatingIfNeeded: $0) }, format: DType(name)!.element, rowLength: 64)
    }
  }
}

/// A generator that is the same everywhere (Steele, Lea and Flood's SplitMix64).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }

  /// Roughly normal: the sum of twelve uniform numbers.
  mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + unit() } }

  mutating func normalBF16() -> UInt16 { Self.bf16(normal() * 0.1) }

  /// A weight moved by an absolute amount, as AdamW moves weights.
  mutating func moved(_ bits: UInt16, by sigma: Double) -> UInt16 {
    Self.bf16(Double(Float(bitPattern: UInt32(bits) << 16)) + normal() * sigma)
  }

  static func bf16(_ value: Double) -> UInt16 {
    let bits = Float(value).bitPattern
    return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16) & 1) >> 16)
  }
}
