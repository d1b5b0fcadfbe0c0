import CKernels
import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

/// The low-rank coder against a plain reading of the spec, section 5.2.
@Suite struct LowRankTests {
  typealias Prediction = ChunkCoder.Prediction

  /// A tensor, its factors, and a target that is near the prediction.
  struct Case {
    let info: TensorInfo
    let factors: Factors
    let base: [UInt8]
    let target: [UInt8]
    let rule: LowRank
    let u: [Float]
    let v: [Float]

    init(_ random: inout some RandomNumberGenerator, dtype: DType) {
      let isStacked = Bool.random(using: &random)
      let shape =
        (isStacked ? [Int.random(in: 1...3, using: &random)] : [])
        + [Int.random(in: 1...24, using: &random), Int.random(in: 1...90, using: &random)]
      let count = shape.reduce(1, *)
      let width = dtype.element.width
      info = TensorInfo(name: "w", dtype: dtype, shape: shape, byteCount: count * width)
      let matrices = LowRank.Matrices(info)!
      let rank = Int.random(in: 1...9, using: &random)
      let strength = Float([1e-3, 0.02, 1, 1e20].randomElement(using: &random)!)
      u = (0..<matrices.slices * matrices.rows * rank).map { _ in .random(in: -strength...strength, using: &random) }
      v = (0..<matrices.slices * rank * matrices.columns).map { _ in .random(in: -1...1, using: &random) }
      // U by slice, row, rank; V by slice, column, rank or by slice, rank, column.
      let isByColumn = Bool.random(using: &random)
      rule = LowRank(
        rank: rank, scale: [1, 2, 0.3, -1.5].randomElement(using: &random)!,
        roundsChange: Bool.random(using: &random),
        u: .init(tensor: 0, slice: matrices.rows * rank, line: rank, rank: 1),
        v: isByColumn
          ? .init(tensor: 1, slice: rank * matrices.columns, line: rank, rank: 1)
          : .init(tensor: 1, slice: rank * matrices.columns, line: 1, rank: matrices.columns))
      func factor(_ values: [Float]) -> Factors.Factor {
        Factors.Factor(
          info: TensorInfo(name: "f", dtype: .f32, shape: [values.count], byteCount: values.count * 4),
          bytes: values.flatMap { [UInt8](littleEndian: $0.bitPattern) })
      }
      factors = Factors(rule, of: info, u: factor(u), v: factor(v))
      let special: [UInt64] = [0, 1, 2]
      let limit: UInt64 = 1 << UInt64(8 * width)
      let bases = (0..<count).map { _ -> UInt64 in
        switch Int.random(in: 0..<8, using: &random) {
        case 0: special.randomElement(using: &random)! | (Bool.random(using: &random) ? limit / 2 : 0)
        case 1: .random(in: 0..<limit, using: &random)
        default: Reference.narrow(.random(in: -0.1...0.1, using: &random), dtype)
        }
      }
      base = bases.flatMap { [UInt8](littleEndian: $0).prefix(width) }
      let (rule, u, v) = (rule, u, v)
      target = bases.enumerated().flatMap { i, bits -> ArraySlice<UInt8> in
        let near = Int.random(in: 0..<20, using: &random) == 0
        let predicted = Reference.predicted(bits, Reference.change(i, rule, matrices, u, v), rule, dtype)
        return [UInt8](littleEndian: near ? (predicted &+ 1) % limit : predicted).prefix(width)
      }
    }
  }

  /// The spec's words as code, one element at a time.
  enum Reference {
    static func change(_ i: Int, _ rule: LowRank, _ m: LowRank.Matrices, _ u: [Float], _ v: [Float]) -> Double {
      let (slice, row, column) = (i / (m.rows * m.columns), i / m.columns % m.rows, i % m.columns)
      var sum = 0.0
      for k in 0..<rule.rank {
        let a = u[slice * rule.u.slice + row * rule.u.line + k * rule.u.rank]
        let b = v[slice * rule.v.slice + column * rule.v.line + k * rule.v.rank]
        sum += Double(a) * Double(b)
      }
      return rule.scale * sum
    }

    static func predicted(_ base: UInt64, _ change: Double, _ rule: LowRank, _ dtype: DType) -> UInt64 {
      let change = rule.roundsChange ? widen(narrow(change, dtype), dtype) : change
      let value = widen(base, dtype)
      guard change != 0, change.isFinite, value.isFinite else { return base }
      return narrow(value + change, dtype)
    }

    static func widen(_ bits: UInt64, _ dtype: DType) -> Double {
      switch dtype {
      case .bf16: return Double(Float(bitPattern: UInt32(bits) << 16))
      case .f32: return Double(Float(bitPattern: UInt32(bits)))
      default:
        let (exponent, mantissa) = (Int(bits >> 10) & 31, Double(bits & 0x3FF))
        let sign = bits >> 15 == 1 ? -1.0 : 1.0
        if exponent == 31 { return mantissa == 0 ? sign * .infinity : .nan }
        return exponent == 0
          ? sign * mantissa * 0x1p-24
          : sign * (1024 + mantissa) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
      }
    }

    /// By search among the positive values: the nearest, of two equally near the one with an even last bit.
    static func narrow(_ value: Double, _ dtype: DType) -> UInt64 {
      if dtype == .f32 {
        return value.isNaN ? 0x7FC0_0000 : UInt64(Float(value).bitPattern)
      }
      let infinity: UInt64 = dtype == .bf16 ? 0x7F80 : 0x7C00
      if value.isNaN { return infinity | (dtype == .bf16 ? 0x40 : 0x200) }
      let sign: UInt64 = value.sign == .minus ? 0x8000 : 0
      let magnitude = value.magnitude
      var (low, high) = (UInt64(0), infinity)
      while high - low > 1 {
        let middle = (low + high) / 2
        if widen(middle, dtype) <= magnitude { low = middle } else { high = middle }
      }
      if widen(low, dtype) == magnitude { return low | sign }
      // Infinity counts as the next number after the largest.
      let top = high == infinity ? 2 * widen(low, dtype) - widen(low - 1, dtype) : widen(high, dtype)
      let half = (widen(low, dtype) + top) / 2
      let result = magnitude < half ? low : magnitude > half ? high : low % 2 == 0 ? low : high
      return result | sign
    }
  }

  func withBuffers<R>(
    _ input: [UInt8], _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws -> R
  ) rethrows -> (R, [UInt8]) {
    let buffers = (0..<2).map { _ in
      UnsafeMutableRawBufferPointer.allocate(byteCount: max(input.count, 1), alignment: 64)
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    let (from, to) = (
      UnsafeMutableRawBufferPointer(rebasing: buffers[0][..<input.count]),
      UnsafeMutableRawBufferPointer(rebasing: buffers[1][..<input.count])
    )
    from.copyBytes(from: input)
    let result = try body(UnsafeRawBufferPointer(from), to)
    return (result, Array(to))
  }

  func encode(_ c: Case, _ elements: Range<Int>, _ kernel: Kernel) -> [UInt8] {
    let width = c.info.dtype.element.width
    let range = elements.lowerBound * width..<elements.upperBound * width
    return withBuffers(Array(c.base[range])) { base, _ in
      withBuffers(Array(c.target[range])) { target, _ in
        ChunkCoder.encodeLowRank(
          base: base, target: target, format: c.info.dtype.element, rowLength: c.info.shape.last,
          Prediction(c.factors, elements: elements), kernel: kernel)
      }.0
    }.0
  }

  func decode(
    _ stored: [UInt8], _ c: Case, _ elements: Range<Int>, from input: [UInt8], _ direction: Direction, _ kernel: Kernel
  ) throws -> [UInt8] {
    try withBuffers(input) { input, output in
      try withBuffers(stored) { stored, _ in
        try ChunkCoder.decodeDifference(
          stored, from: input, into: output, format: c.info.dtype.element, direction: direction,
          Prediction(c.factors, elements: elements), kernel: kernel)
      }.0
    }.1
  }

  @Test("random tensors, parts of them, both kernels", arguments: [DType.bf16, .f16, .f32], 0..<12)
  func roundTrip(dtype: DType, seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed) * 977 + UInt64(dtype.name.utf8.count))
    let c = Case(&random, dtype: dtype)
    let width = dtype.element.width
    let start = Int.random(in: 0..<c.info.elementCount, using: &random)
    let end = Int.random(in: start + 1...c.info.elementCount, using: &random)
    for elements in [0..<c.info.elementCount, start..<end] {
      let range = elements.lowerBound * width..<elements.upperBound * width
      let stored = encode(c, elements, .portable)
      #expect(stored == encode(c, elements, .best))
      for kernel in [Kernel.portable, .best] {
        #expect(try decode(stored, c, elements, from: Array(c.base[range]), .forward, kernel) == Array(c.target[range]))
        #expect(
          try decode(stored, c, elements, from: Array(c.target[range]), .backward, kernel) == Array(c.base[range]))
      }
    }
  }

  @Test("the prediction is that of the spec", arguments: [DType.bf16, .f16, .f32], 0..<8)
  func prediction(dtype: DType, seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed) * 31 + 7)
    let c = Case(&random, dtype: dtype)
    let width = dtype.element.width
    let expected = stride(from: 0, to: c.base.count, by: width).flatMap { at -> ArraySlice<UInt8> in
      let bits = c.base[at..<at + width].enumerated().reduce(UInt64(0)) {
        $0 | UInt64($1.element) << UInt64(8 * $1.offset)
      }
      let change = Reference.change(at / width, c.rule, c.factors.matrices, c.u, c.v)
      return [UInt8](littleEndian: Reference.predicted(bits, change, c.rule, dtype)).prefix(width)
    }
    for kernel in [Kernel.portable, .best] {
      let (_, found) = withBuffers(c.base) {
        Prediction(c.factors, elements: 0..<c.info.elementCount).predict(from: $0, into: $1, kernel: kernel)
      }
      #expect(found == expected)
    }
  }

  @Test("candidates are all bases with the prediction", arguments: [VP_BF16, VP_F16], 0..<6)
  func candidates(type: vp_float, seed: Int) {
    var random = SplitMix(seed: UInt64(seed))
    let dtype = type == VP_BF16 ? DType.bf16 : .f16
    for kernel in [vp_lowrank_baseline, vp_lowrank_avx2] where kernel.predict != nil {
      let u: [Float] = [[1e-8, 1e-4, 0.01, 3, 1e30].randomElement(using: &random)!]
      let v = [Float](repeating: .random(in: -1...1, using: &random), count: 1 + Int(VP_LOWRANK_TILE))
      let rounds = Bool.random(using: &random)
      let rule = LowRank(
        rank: 1, scale: 1, roundsChange: rounds, u: .init(tensor: 0, line: 1, rank: 1),
        v: .init(tensor: 0, line: 1, rank: 1))
      let predictions = (0..<UInt64(65536)).map {
        Reference.predicted($0, Double(u[0]) * Double(v[0]), rule, dtype)
      }
      var counts: [UInt64: Int] = [:]
      for prediction in predictions { counts[prediction, default: 0] += 1 }
      u.withUnsafeBufferPointer { u in
        v.withUnsafeBufferPointer { v in
          var job = vp_lowrank_job()
          job.type = type
          job.rounds_change = rounds ? 1 : 0
          job.scale = 1
          job.rank = 1
          job.u = u.baseAddress
          job.v = v.baseAddress
          job.v_stride = 33
          job.rows = 1
          job.columns = 1
          job.stride = 1
          for _ in 0..<300 {
            let base = UInt64.random(in: 0..<65536, using: &random)
            var first: UInt64 = 0
            let count = kernel.candidates(&job, 0, 0, predictions[Int(base)], &first)
            #expect(Int(count) == counts[predictions[Int(base)]])
            for position in first..<first + count {
              #expect(predictions[Int(kernel.element(type, position))] == predictions[Int(base)])
            }
          }
        }
      }
    }
  }

  @Test func everyCutIsRefused() throws {
    var random = SplitMix(seed: 5)
    var c = Case(&random, dtype: .bf16)
    while encode(c, 0..<c.info.elementCount, .best)[1] == 0 { c = Case(&random, dtype: .bf16) }
    let elements = 0..<c.info.elementCount
    let stored = encode(c, elements, .best)
    for length in 1..<stored.count {
      #expect(throws: (any Error).self) {
        _ = try decode(Array(stored[..<length]), c, elements, from: c.target, .backward, .best)
      }
    }
    // Without factors, and inside itself.
    #expect(throws: ChunkError.self) {
      _ = try withBuffers(c.base) { input, output in
        try withBuffers(stored) { stored, _ in
          try ChunkCoder.decodeDifference(
            stored, from: input, into: output, format: c.info.dtype.element, direction: .forward)
        }
      }
    }
    #expect(throws: ChunkError.self) {
      _ = try decode([5, 0, 0, 0, 0] + stored, c, elements, from: c.base, .forward, .best)
    }
  }

  @Test("truncated binary", arguments: [2, 3, 4, 5, 7, 8, 9, 1000, 65536, 1 << 32] as [UInt64])
  func choices(count: UInt64) {
    var random = SplitMix(seed: count)
    let values = (0..<200).map { _ in UInt64.random(in: 0..<count, using: &random) } + [0, count - 1]
    var writer = BitWriter()
    for value in values { writer.write(choice: value, of: count) }
    writer.align()
    writer.bytes.withUnsafeBytes { bytes in
      var reader = BitReader(bytes)
      for value in values { #expect(reader.readChoice(of: count) == value) }
      #expect(reader.isAtEnd)
    }
  }
}
