import Testing

@testable import Checkpoints
@testable import PatchFormat

/// The coders over all dtypes and over lengths around the steps of loops.
@Suite struct ChunkCoderTests {
  static let lengths = [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1023]
  /// All, and one that is long enough for tables, of a dtype for each coder: coding is slow without optimisation.
  static func lengths(_ name: String) -> [Int] {
    ["F32", "BF16", "U8"].contains(name) ? lengths + [5000] : [1, 2, 3, 7, 8, 17, 33, 129]
  }
  static let dtypes = [
    "F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3", "I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8", "BOOL",
    "X9",
  ]

  /// Bytes aligned to the widest element.
  static func bytes(_ count: Int, _ next: () -> UInt8) -> [UInt8] { (0..<count).map { _ in next() } }

  static func random(_ count: Int, _ random: inout SplitMix) -> [UInt8] {
    var out: [UInt8] = []
    for _ in 0..<count { out.append(UInt8(truncatingIfNeeded: random.next())) }
    return out
  }

  func aligned<R>(_ bytes: [UInt8], _ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    return try body(buffer)
  }

  func encode(_ base: [UInt8], _ target: [UInt8], _ format: ElementFormat, rowLength: Int? = nil) -> [UInt8] {
    aligned(base) { b in
      aligned(target) { t in
        ChunkCoder.encodeDifference(
          base: UnsafeRawBufferPointer(b), target: UnsafeRawBufferPointer(t), format: format, rowLength: rowLength)
      }
    }
  }

  func decode(_ stored: [UInt8], _ other: [UInt8], _ format: ElementFormat, _ direction: Direction) throws -> [UInt8] {
    try aligned(other) { input in
      try aligned([UInt8](repeating: 0xA5, count: other.count)) { output in
        try stored.withUnsafeBytes {
          try ChunkCoder.decodeDifference(
            $0, from: UnsafeRawBufferPointer(input), into: output, format: format, direction: direction)
        }
        return Array(output)
      }
    }
  }

  /// - Returns: the coder that was chosen.
  @discardableResult
  func check(_ base: [UInt8], _ target: [UInt8], _ format: ElementFormat, rowLength: Int? = nil) throws -> Coder? {
    let stored = encode(base, target, format, rowLength: rowLength)
    #expect(stored == encode(base, target, format, rowLength: rowLength), "the same bytes each time")
    #expect(stored.count <= base.count + ChunkCoder.maximumOverhead)
    #expect(try decode(stored, base, format, .forward) == target)
    #expect(try decode(stored, target, format, .backward) == base)
    return Coder(rawValue: stored[0])
  }

  @Test(arguments: dtypes) func differences(name: String) throws {
    let format = DType(name)!.element
    for count in Self.lengths(name) {
      var random = SplitMix(seed: UInt64(count))
      let base = Self.random(count * format.width, &random)
      #expect(try check(base, base, format) == .zero)
      // One element, the last.
      var one = base
      one[one.count - 1] ^= 0x41
      try check(base, one, format)
      // Every second by a little.
      var near = base
      for i in stride(from: 0, to: near.count, by: 2 * format.width) { near[i] &+= 1 }
      try check(base, near, format, rowLength: 16)
      // All of them, anyhow: nothing helps, and it must not cost more than the bytes.
      try check(base, Self.random(base.count, &random), format)
      // From zeros, from all ones.
      try check([UInt8](repeating: 0, count: base.count), base, format)
      try check(base, [UInt8](repeating: 0xFF, count: base.count), format)
    }
  }

  @Test(arguments: dtypes) func contents(name: String) throws {
    let format = DType(name)!.element
    for count in Self.lengths(name) {
      var random = SplitMix(seed: UInt64(count) + 7)
      let wild = Self.random(count * format.width, &random)
      let tame = wild.indices.map { UInt8($0 / format.width % 3) }
      for bytes in [wild, tame] {
        let stored = aligned(bytes) { ChunkCoder.encodeContent(UnsafeRawBufferPointer($0), format: format) }
        #expect(stored.count <= bytes.count + ChunkCoder.maximumOverhead)
        let result = try aligned([UInt8](repeating: 0xA5, count: bytes.count)) { output in
          try stored.withUnsafeBytes { try ChunkCoder.decodeContent($0, into: output, format: format) }
          return Array(output)
        }
        #expect(result == bytes)
      }
    }
  }

  @Test func choosesWhatSuits() throws {
    var random = SplitMix(seed: 1)
    let base = Self.random(8192, &random)
    var sparse = base
    sparse[100] ^= 1
    sparse[4000] ^= 4
    #expect(try check(base, sparse, DType("U8")!.element) == .sparse)
    #expect(try check(base, sparse, DType("I64")!.element) == .sparse)
    #expect(try check(base, base.map { $0 &+ 1 }, DType("U8")!.element) == .planes)
    #expect(try check(base, Self.random(8192, &random), DType("U8")!.element) == .raw)
    let weights = (0..<4096).flatMap { _ in [UInt8](littleEndian: random.normalBF16()) }
    let moved = stride(from: 0, to: 8192, by: 2).flatMap {
      [UInt8](littleEndian: random.moved(UInt16(weights[$0]) | UInt16(weights[$0 + 1]) << 8, by: 0.001))
    }
    #expect(
      try check(weights, moved, .init(width: 2, isFloat: true, exponentShift: 7, exponentBits: 8), rowLength: 64)
        == .ulp)
  }

  @Test func orderOfFloats() {
    let d = Differences<UInt16>(isFloat: true)
    #expect(d.difference(0x0000, 0x8000) == 1, "+0 is one above -0")
    #expect(d.difference(0x8000, 0x8001) == 1, "-0 is one above the first subnormal below it")
    #expect(d.difference(0x3F81, 0x3F80) == 1)
    #expect(d.difference(0xBF80, 0xBF81) == 1)
    for bits in 0...UInt16.max {
      #expect(d.target(bits, 0) == bits)
      #expect(d.base(d.target(bits, 0x1234), 0x1234) == bits)
    }
    #expect(Differences<UInt8>.zigzag(0xFF) == 1)
    #expect(Differences<UInt8>.zigzag(1) == 2)
    #expect(Differences<UInt8>.zigzag(0x80) == 0xFF)
    for z in 0...UInt8.max { #expect(Differences<UInt8>.zigzag(Differences<UInt8>.unzigzag(z)) == z) }
  }
}
