import CCompute
import Testing

/// Numbers of a matrix in one of the forms that products read.
private struct Numbers {
  var type: vp_type
  var bytes: [UInt8]
  /// What a product uses of them.
  var values: [Double]

  init(_ floats: [Float], _ type: vp_type, roundedToBF16: Bool) {
    self.type = type
    var widened: [Float]
    switch type {
    case VP_F32: (bytes, widened) = (bytesOf(floats), floats)
    case VP_BF16:
      let narrowed = floats.map(bfloat16)
      (bytes, widened) = (bytesOf(narrowed), narrowed.map(widen))
    default:
      let narrowed = floats.map { Float16($0) }
      (bytes, widened) = (bytesOf(narrowed), narrowed.map { Float($0) })
    }
    if roundedToBF16 { widened = widened.map { widen(bfloat16($0)) } }
    values = widened.map(Double.init)
  }
}

private func bytesOf<T>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes(Array.init) }

/// The nearest, ties to even; not for NaN.
private func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}

private func widen(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

private struct Product: CustomTestStringConvertible, Sendable {
  var transposeA = false
  var transposeB = false
  var m: Int
  var n: Int
  var k: Int
  var aType = VP_F32
  var bType = VP_F32
  /// How much longer rows are than they need to be.
  var slack = 0
  var accumulates = false

  var testDescription: String {
    "\(m) x \(n) x \(k), a \(aType.rawValue)\(transposeA ? "'" : ""), b \(bType.rawValue)\(transposeB ? "'" : ""), "
      + "slack \(slack)\(accumulates ? ", accumulates" : "")"
  }

  var lda: Int { (transposeA ? m : k) + slack }
  var ldb: Int { (transposeB ? k : n) + slack }
  var ldc: Int { n + slack }
}

private func random(_ count: Int, _ generator: inout SplitMix64) -> [Float] {
  (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
}

private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

private func withScratch<T>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> T) -> T {
  let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1), alignment: 64)
  defer { scratch.deallocate() }
  // What a kernel reads but has not written shows.
  scratch.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
  return body(scratch)
}

@Suite struct GemmTests {
  /// Sizes on both sides of tiles, vectors and blocks.
  private static let products: [Product] = {
    var all: [Product] = []
    for (m, n, k) in [
      (1, 1, 1), (8, 48, 2), (7, 47, 3), (9, 49, 31), (16, 16, 32), (17, 97, 33), (23, 33, 65), (3, 5, 0),
      (40, 80, 100),
    ] {
      for layout in 0..<4 {
        for type in [VP_F32, VP_BF16, VP_F16] {
          let odd = (m + layout) % 2 == 1
          all.append(
            Product(
              transposeA: layout & 1 == 1, transposeB: layout & 2 == 2, m: m, n: n, k: k, aType: type,
              bType: odd ? type : VP_BF16, slack: odd ? 0 : 5, accumulates: odd))
        }
      }
    }
    // More rows and more k than one block.
    all.append(Product(transposeB: true, m: 259, n: 10, k: 1541, bType: VP_BF16))
    all.append(Product(transposeA: true, m: 259, n: 10, k: 1541, bType: VP_BF16, accumulates: true))
    return all
  }()

  @Test(.enabled(if: vp_has_bf16()), arguments: products)
  private func productsOfBF16AreThoseOfTheRoundedNumbers(_ product: Product) {
    for isPacked in [false, true] {
      check(product, roundedToBF16: true) { a, b, c, accumulates in
        let (m, n, k) = (product.m, product.n, product.k)
        if isPacked {
          withScratch(vp_packed_b_bf16(n, k)) { packed in
            vp_pack_b_bf16(product.transposeB, n, k, b, product.bType, product.ldb, packed)
            withScratch(vp_gemm_bf16_packed_scratch(m, k)) {
              vp_gemm_bf16_packed(
                product.transposeA, m, n, k, a, product.aType, product.lda, packed, c, product.ldc, accumulates, $0)
            }
          }
        } else {
          withScratch(vp_gemm_bf16_scratch(m, n, k)) {
            vp_gemm_bf16(
              product.transposeA, product.transposeB, m, n, k, a, product.aType, product.lda, b, product.bType,
              product.ldb, c, product.ldc, accumulates, $0)
          }
        }
      }
    }
  }

  /// Compares with the product in float64, to a few roundings of the greatest sum that the terms could have.
  private func check(
    _ product: Product, roundedToBF16: Bool,
    _ multiply: (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutablePointer<Float>, Bool) -> Void
  ) {
    var generator = SplitMix64(state: 7)
    let (m, n, k) = (product.m, product.n, product.k)
    let a = Numbers(
      random((product.transposeA ? k : m) * product.lda, &generator), product.aType, roundedToBF16: roundedToBF16)
    let b = Numbers(
      random((product.transposeB ? n : k) * product.ldb, &generator), product.bType, roundedToBF16: roundedToBF16)
    let before = random(m * product.ldc, &generator)
    var c = before
    a.bytes.withUnsafeBytes { a in
      b.bytes.withUnsafeBytes { b in
        c.withUnsafeMutableBufferPointer { c in
          // An empty array may have no address, and then nothing is read there.
          let nothing = UnsafeRawPointer(c.baseAddress!)
          multiply(a.baseAddress ?? nothing, b.baseAddress ?? nothing, c.baseAddress!, product.accumulates)
        }
      }
    }
    var worst = 0.0
    for i in 0..<m {
      for j in 0..<product.ldc {
        let at = i * product.ldc + j
        guard j < n else {
          #expect(c[at] == before[at], "wrote behind row \(i) of C")
          continue
        }
        var sum = product.accumulates ? Double(before[at]) : 0
        var scale = abs(sum)
        for p in 0..<k {
          let term =
            a.values[product.transposeA ? p * product.lda + i : i * product.lda + p]
            * b.values[product.transposeB ? j * product.ldb + p : p * product.ldb + j]
          sum += term
          scale += abs(term)
        }
        let error = abs(Double(c[at]) - sum)
        worst = max(worst, scale == 0 ? error : error / scale)
      }
    }
    #expect(worst < 1e-6)
  }

  @Test(.enabled(if: vp_has_bf16()))
  func operandsAreRoundedToTheNearestAndTiesToEven() {
    // Half way between two bf16 below 1.0078125, and between two above it.
    let a: [Float] = [1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-20, -1 - 0x1p-8]
    var c = [Float](repeating: 0, count: 4)
    withScratch(vp_gemm_bf16_scratch(4, 1, 1)) {
      vp_gemm_bf16(false, false, 4, 1, 1, a, VP_F32, 1, [Float(1)], VP_F32, 1, &c, 1, false, $0)
    }
    let rounded: [Float] = [1, 1.015625, 1.0078125, -1]
    #expect(c == rounded)
  }

  @Test(.enabled(if: vp_has_bf16()))
  func whatIsNotFiniteGoesThroughAndStaysInItsRow() {
    var a = [Float](repeating: 1, count: 9 * 3)
    (a[0], a[3], a[6]) = (.infinity, -.infinity, .nan)
    let b = [Float](repeating: 2, count: 3 * 50)
    var c = [Float](repeating: 0, count: 9 * 50)
    withScratch(vp_gemm_bf16_scratch(9, 50, 3)) {
      vp_gemm_bf16(false, false, 9, 50, 3, a, VP_F32, 3, b, VP_F32, 50, &c, 50, false, $0)
    }
    #expect(c[0..<50].allSatisfy { $0 == .infinity })
    #expect(c[50..<100].allSatisfy { $0 == -.infinity })
    #expect(c[100..<150].allSatisfy { $0.isNaN })
    #expect(c[150...].allSatisfy { $0 == 6 })
  }

  /// Rows and columns may be split over threads anyhow.
  @Test(.enabled(if: vp_has_bf16()))
  func aPartOfAProductHasTheBitsOfTheWhole() {
    let (m, n, k) = (21, 109, 70)
    var generator = SplitMix64(state: 3)
    let (a, b) = (random(m * k, &generator), random(n * k, &generator))
    var whole = [Float](repeating: 0, count: m * n)
    var parts = whole
    withScratch(vp_gemm_bf16_scratch(m, n, k)) { scratch in
      vp_gemm_bf16(false, true, m, n, k, a, VP_F32, k, b, VP_F32, k, &whole, n, false, scratch)
    }
    let row = 5
    let column = VP_GEMM_COLUMNS
    withScratch(vp_packed_b_bf16(n, k)) { packed in
      b.withUnsafeBufferPointer { b in
        vp_pack_b_bf16(true, column, k, b.baseAddress, VP_F32, k, packed)
        vp_pack_b_bf16(
          true, n - column, k, b.baseAddress! + column * k, VP_F32, k, packed + vp_packed_b_bf16(column, k))
      }
      withScratch(vp_gemm_bf16_packed_scratch(m, k)) { scratch in
        a.withUnsafeBufferPointer { a in
          parts.withUnsafeMutableBufferPointer { c in
            let a = a.baseAddress!
            let c = c.baseAddress!
            vp_gemm_bf16_packed(false, row, n, k, a, VP_F32, k, packed, c, n, false, scratch)
            vp_gemm_bf16_packed(
              false, m - row, n - column, k, a + row * k, VP_F32, k, packed + vp_packed_b_bf16(column, k),
              c + row * n + column, n, false, scratch)
            vp_gemm_bf16_packed(
              false, m - row, column, k, a + row * k, VP_F32, k, packed, c + row * n, n, false, scratch)
          }
        }
      }
    }
    #expect(whole == parts)
  }
}
