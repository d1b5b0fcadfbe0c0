import Synchronization
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Diff: numbers")
struct DiffNumbersTests {
  typealias Tensor = DiffFolder.Tensor

  /// [3, 4] → [3, 1] in every dtype that can say so: ‖A‖ 5, ‖Δ‖ 3, cosine 13 / (5 √10).
  static let pairs: [(String, [UInt8], [UInt8])] = [
    ("BF16", [0x40, 0x40, 0x80, 0x40], [0x40, 0x40, 0x80, 0x3F]),
    ("F16", [0x00, 0x42, 0x00, 0x44], [0x00, 0x42, 0x00, 0x3C]),
    ("F8_E5M2", [0x42, 0x44], [0x42, 0x3C]),
    ("F8_E4M3", [0x44, 0x48], [0x44, 0x38]),
    ("F32", bytes([3, 4] as [Float]), bytes([3, 1] as [Float])),
    ("F64", bytes([3, 4] as [Double]), bytes([3, 1] as [Double])),
    ("I64", bytes([3, -4] as [Int64]), bytes([3, -1] as [Int64])),
    ("U64", bytes([3, 4] as [UInt64]), bytes([3, 1] as [UInt64])),
    ("I32", bytes([-3, 4] as [Int32]), bytes([-3, 1] as [Int32])),
    ("U32", bytes([3, 4] as [UInt32]), bytes([3, 1] as [UInt32])),
    ("I16", bytes([-3, 4] as [Int16]), bytes([-3, 1] as [Int16])),
    ("U16", bytes([3, 4] as [UInt16]), bytes([3, 1] as [UInt16])),
    ("I8", bytes([-3, 4] as [Int8]), bytes([-3, 1] as [Int8])),
    ("U8", [3, 4], [3, 1]), ("BOOL", [3, 4], [3, 1]),
  ]

  static func bytes<T>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

  @Test("every dtype against values worked out by hand", arguments: pairs)
  func handmade(dtype: String, a: [UInt8], b: [UInt8]) throws {
    let change = try DiffFolder().diff([Tensor("t", dtype, a)], [Tensor("t", dtype, b)]).tensors[0].change
    #expect(change.elements == 2)
    #expect(change.changed == 1)
    #expect(change.share == 0.5)
    #expect(change.nonFinite == 0)
    #expect(change.normA == 5)
    #expect(change.normDelta == 3)
    #expect(change.relativeChange == 0.6)
    #expect(change.maxDelta == 3)
    #expect(abs(change.cosine! - 13 / (5 * 10.0.squareRoot())) < 1e-15)
    #expect(change.numbers == (DType(dtype)!.element.isFloat ? .floats : .integers))
  }

  @Test("all values of the small floats are read exactly")
  func smallFloats() throws {
    func read(_ dtype: String, _ bytes: [UInt8]) -> [Double] {
      let reader = NumberReader(DType(dtype)!)!
      var out = [Double](repeating: 0, count: bytes.count / reader.width)
      bytes.withUnsafeBytes { raw in
        out.withUnsafeMutableBufferPointer { reader.read(raw.baseAddress!, $0.count, $0.baseAddress!) }
      }
      return out
    }
    /// By the definition: (−1)ˢ 2ᵉ⁻ᵇⁱᵃˢ 1.m, or 2¹⁻ᵇⁱᵃˢ 0.m where e is 0.
    func value(_ x: Int, exponent: Int, mantissa: Int) -> Double {
      let bias = 1 << (exponent - 1) - 1
      let e = x >> mantissa & (1 << exponent - 1)
      let m = Double(x & (1 << mantissa - 1)) / Double(1 << mantissa)
      let size = Double(sign: .plus, exponent: max(e, 1) - bias, significand: e == 0 ? m : 1 + m)
      return x >> (exponent + mantissa) == 1 ? -size : size
    }
    let halves = (0...0xFFFF).map { UInt16($0) }
    for (x, found) in zip(halves, read("F16", Self.bytes(halves))) {
      if x >> 10 & 0x1F == 0x1F {
        #expect(!found.isFinite && (found.isNaN == (x & 0x3FF != 0)))
      } else {
        #expect(found.bitPattern == value(Int(x), exponent: 5, mantissa: 10).bitPattern)
      }
    }
    let all = (0...255).map { UInt8($0) }
    for (x, found) in zip(all, read("F8_E4M3", all)) {
      if x & 0x7F == 0x7F {
        #expect(found.isNaN)
      } else {
        #expect(found.bitPattern == value(Int(x), exponent: 4, mantissa: 3).bitPattern)
      }
    }
    for (x, found) in zip(all, read("F8_E5M2", all)) where x >> 2 & 0x1F != 0x1F {
      #expect(found.bitPattern == value(Int(x), exponent: 5, mantissa: 2).bitPattern)
    }
  }

  @Test("what is not finite is counted and left out of the norms, also in blocks that are the same")
  func nonFinite() throws {
    let a: [Float] = [3, .nan, 1, -.infinity, 4]
    let folder = try DiffFolder()
    var change = try folder.diff([Tensor("t", "F32", a)], [Tensor("t", "F32", [3, .nan, .infinity, 5, 1] as [Float])])
      .tensors[0].change
    #expect((change.nonFinite, change.changed, change.normA, change.normDelta) == (3, 3, 5, 3))
    change = try folder.diff([Tensor("t", "F32", a)], [Tensor("t", "F32", a)]).tensors[0].change
    #expect((change.nonFinite, change.changed) == (2, 0))
    #expect(change.normA == 26.0.squareRoot())
    #expect(change.cosine == 1)
    let huge = try folder.diff([Tensor("t", "F64", [1e200, 2])], [Tensor("t", "F64", [1e200, 4.0])]).tensors[0].change
    #expect((huge.nonFinite, huge.relativeChange) == (1, 1))
  }

  @Test("zero vectors, signed zeros, scalars and empty tensors")
  func degenerate() throws {
    let folder = try DiffFolder()
    func change(_ a: [Float], _ b: [Float], shape: [Int]? = nil) throws -> Change {
      try folder.diff([Tensor("t", "F32", a, shape: shape)], [Tensor("t", "F32", b, shape: shape)]).tensors[0].change
    }
    let fromZero = try change([0, 0], [1, 0])
    #expect((fromZero.relativeChange, fromZero.cosine, fromZero.changed) == (nil, nil, 1))
    let toZero = try change([1, 2], [0, 0])
    #expect((toZero.relativeChange, toZero.cosine) == (1, nil))
    let sign = try change([0, 1], [-0.0, 1])
    #expect((sign.relativeChange, sign.cosine, sign.changed) == (0, 1, 1))
    let scalar = try change([2], [3], shape: [])
    #expect((scalar.elements, scalar.relativeChange, scalar.cosine) == (1, 0.5, 1))
    let empty = try change([], [])
    #expect((empty.elements, empty.share, empty.relativeChange) == (0, 0, 0))
    let opposite = try change([1, 2], [-1, -2])
    #expect((opposite.cosine, opposite.relativeChange) == (-1, 2))
  }

  @Test("1 − cosine keeps its digits where the cosine is 1 to the last bit")
  func smallAngle() throws {
    // (1, 0) → (1, 2⁻³⁰): the angle is 2⁻³⁰, and 1 − cosine half its square.
    let change = try DiffFolder().diff(
      [Tensor("t", "F64", [1, 0.0])], [Tensor("t", "F64", [1, 0x1p-30])]
    ).tensors[0].change
    #expect(change.cosine == 1)
    #expect(abs(change.oneMinusCosine! / 0x1p-61 - 1) < 1e-9)
  }

  @Test("a dtype without numbers has only its share of changed elements")
  func unknownType() throws {
    let change = try DiffFolder().diff(
      [Tensor("t", "F4", [1, 2, 3, 4] as [UInt8], shape: [8])],
      [Tensor("t", "F4", [1, 2, 3, 5] as [UInt8], shape: [8])]
    ).tensors[0].change
    #expect((change.elements, change.share) == (8, 0.125))
    #expect((change.normA, change.relativeChange, change.cosine, change.maxDelta) == (nil, nil, nil, nil))
  }

  @Test("other lengths than whole blocks and lanes agree with a naive sum")
  func lengths() throws {
    let folder = try DiffFolder()
    for count in [1, 2, 3, 4, 5, 7, 8, 15, 17, 127, 2047, 2048, 2049, 4099, 200_003] {
      let a = (0..<count).map { Float($0 % 17) - 8 }
      let b = a.enumerated().map { $0.offset % 3 == 0 ? $0.element + 0.25 : $0.element }
      let change = try folder.diff([.bf16("t", a)], [.bf16("t", b)]).tensors[0].change
      #expect(change.elements == count)
      #expect(change.changed == (count + 2) / 3)
      // Exact: small multiples of 1/16.
      #expect(change.squaresA == a.reduce(0.0) { $0 + Double($1 * $1) })
      #expect(change.squaresB == b.reduce(0.0) { $0 + Double($1 * $1) })
      #expect(change.squaresDelta == Double((count + 2) / 3) / 16)
    }
  }

  @Test("the same bits with any number of threads; progress ends at the total")
  func threads() throws {
    var state: UInt64 = 1
    func random() -> UInt16 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt16(truncatingIfNeeded: state >> 40) & 0xBFFF
    }
    // More than one slice.
    let a = (0..<(1 << 23 + 12_345)).map { _ in random() }
    let b = a.map { $0 & 0x1F == 3 ? $0 ^ 1 : $0 }
    let folder = try DiffFolder()
    let small = Tensor.bf16("s", [1, 2, 3])
    let left = try folder.checkpoint("a", [Tensor("t", "BF16", a), small])
    let right = try folder.checkpoint("b", [Tensor("t", "BF16", b), small])
    let one = try CheckpointDiff.compute(left, right, threads: 1)
    let last = Mutex((0, 0))
    let three = try CheckpointDiff.compute(left, right, threads: 3) { done, total in
      last.withLock { $0 = (max($0.0, done), total) }
    }
    #expect(one.tensors == three.tensors)
    #expect(one.json().pretty() == three.json().pretty())
    let (done, total) = last.withLock { $0 }
    #expect(done == total && total == left.totalBytes + right.totalBytes)
  }

  @Test("integers count, but floats make the norms of a group")
  func mixed() throws {
    let a: [Tensor] = [.bf16("x", [3, 4]), Tensor("y", "I64", [1_000_000 as Int64])]
    let diff = try DiffFolder().diff(a, [.bf16("x", [3, 1]), Tensor("y", "I64", [7 as Int64])])
    let total = diff.total.change
    #expect((total.elements, total.changed) == (3, 2))
    #expect((total.normA, total.relativeChange, total.maxDelta) == (5, 0.6, 3))
  }
}
