import CCompute
import Testing

/// A product to compute, and to compare with the same in float64.
private struct Product: CustomTestStringConvertible, Sendable {
  var transposeA = false
  var transposeB = false
  var m: Int
  var n: Int
  var k: Int
  var aType = VP_TYPE_F32
  var bType = VP_TYPE_F32
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

  var a: Numbers { Numbers(randomFloats((transposeA ? k : m) * lda, seed: 1), aType) }
  var b: Numbers { Numbers(randomFloats((transposeB ? n : k) * ldb, seed: 2), bType) }
  var before: [Float] { randomFloats(m * ldc, seed: 3) }

  /// What `multiply` makes of C; its arguments are A, B and C.
  func result(_ multiply: (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void) -> [Float] {
    var c = before
    a.withAddress { a in b.withAddress { b in c.withUnsafeMutableBufferPointer { multiply(a, b, $0.baseAddress!) } } }
    return c
  }

  /// Compares to a few roundings of the greatest sum that the terms could have.
  func expect(_ c: [Float], operandsAre round: (Float) -> Float = { $0 }, tolerance: Double = 1e-6) {
    let (a, b) = (a.values.map { Double(round($0)) }, b.values.map { Double(round($0)) })
    let before = before
    var wrong = 0
    for i in 0..<m {
      for j in 0..<ldc {
        let at = i * ldc + j
        guard j < n else {
          #expect(c[at] == before[at], "wrote behind row \(i) of C")
          continue
        }
        var sum = accumulates ? Double(before[at]) : 0
        var scale = abs(sum)
        for p in 0..<k {
          let term = a[transposeA ? p * lda + i : i * lda + p] * b[transposeB ? j * ldb + p : p * ldb + j]
          sum += term
          scale += abs(term)
        }
        if !(abs(Double(c[at]) - sum) <= tolerance * scale) { wrong += 1 }
      }
    }
    #expect(wrong == 0, "numbers of C that are not the product's")
  }

  /// Sizes on both sides of tiles, vectors and blocks; layouts and types by turns.
  static let all: [Product] = {
    var all: [Product] = []
    let sizes = [
      (1, 1, 1), (8, 48, 2), (7, 47, 3), (9, 49, 31), (16, 16, 32), (17, 97, 33), (23, 33, 65), (3, 5, 0),
      (40, 80, 100),
    ]
    for (m, n, k) in sizes {
      for layout in 0..<4 {
        for type in allTypes {
          let isOdd = (m + layout) % 2 == 1
          all.append(
            Product(
              transposeA: layout & 1 == 1, transposeB: layout & 2 == 2, m: m, n: n, k: k, aType: type,
              bType: isOdd ? type : VP_TYPE_BF16, slack: isOdd ? 0 : 5, accumulates: isOdd))
        }
      }
    }
    // More rows and more k than one block.
    all.append(Product(transposeB: true, m: 259, n: 10, k: 1541, bType: VP_TYPE_BF16))
    all.append(Product(transposeA: true, m: 259, n: 10, k: 1541, bType: VP_TYPE_BF16, accumulates: true))
    return all
  }()
}

@Suite struct GemmTests {
  @Test(.enabled(if: vp_has_bf16()), arguments: Product.all)
  private func productsOfBF16AreThoseOfTheRoundedNumbers(_ product: Product) {
    let (m, n, k) = (product.m, product.n, product.k)
    let whole = product.result { a, b, c in
      withScratch(vp_gemm_bf16_scratch(m, n, k)) {
        vp_gemm_bf16(
          product.transposeA, product.transposeB, m, n, k, a, product.aType, product.lda, b, product.bType,
          product.ldb, c, product.ldc, product.accumulates, $0)
      }
    }
    product.expect(whole, operandsAre: { widen(bfloat16($0)) })
    let packed = product.result { a, b, c in
      withScratch(vp_packed_b_bf16(n, k)) { packed in
        vp_pack_b_bf16(product.transposeB, n, k, b, product.bType, product.ldb, packed)
        withScratch(vp_gemm_bf16_packed_scratch(m, k)) {
          vp_gemm_bf16_packed(
            product.transposeA, m, n, k, a, product.aType, product.lda, packed, c, product.ldc, product.accumulates, $0)
        }
      }
    }
    #expect(packed == whole)
  }

  @Test(arguments: Product.all)
  private func productsOfFloat32AreTheSameOnAllInstructions(_ product: Product) {
    let (m, n, k) = (product.m, product.n, product.k)
    let whole = product.result { a, b, c in
      withScratch(vp_gemm_f32_scratch(m, n, k)) {
        vp_gemm_f32(
          product.transposeA, product.transposeB, m, n, k, a, product.aType, product.lda, b, product.bType,
          product.ldb, c, product.ldc, product.accumulates, $0)
      }
    }
    product.expect(whole)
    for isa in availableISAs {
      let kernels = vp_gemm_f32_kernels(isa)!.pointee
      let packed = product.result { a, b, c in
        withScratch(vp_packed_b_f32(n, k)) { packed in
          kernels.pack_b(product.transposeB, n, k, b, product.bType, product.ldb, packed)
          withScratch(vp_gemm_f32_packed_scratch(m, k)) {
            kernels.multiply_packed(
              product.transposeA, m, n, k, a, product.aType, product.lda, packed, c, product.ldc, product.accumulates,
              $0)
          }
        }
      }
      // Without fused multiply-add, products are rounded too.
      if isa == VP_BASELINE || vp_chosen_isa() == VP_BASELINE {
        product.expect(packed)
      } else {
        #expect(packed == whole, "instructions \(isa.rawValue)")
      }
    }
  }

  @Test(.enabled(if: vp_has_bf16()))
  func operandsAreRoundedToTheNearestAndTiesToEven() {
    // Half way between two bf16 below 1.0078125, and between two above it.
    let a: [Float] = [1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + 0x1p-20, -1 - 0x1p-8]
    var c = [Float](repeating: 0, count: 4)
    withScratch(vp_gemm_bf16_scratch(4, 1, 1)) {
      vp_gemm_bf16(false, false, 4, 1, 1, a, VP_TYPE_F32, 1, [Float(1)], VP_TYPE_F32, 1, &c, 1, false, $0)
    }
    let rounded: [Float] = [1, 1.015625, 1.0078125, -1]
    #expect(c == rounded)
  }

  @Test(arguments: [false, true])
  func whatIsNotFiniteGoesThroughAndStaysInItsRow(isBF16: Bool) {
    if isBF16 && !vp_has_bf16() { return }
    var a = [Float](repeating: 1, count: 9 * 3)
    (a[0], a[3], a[6]) = (.infinity, -.infinity, .nan)
    let b = [Float](repeating: 2, count: 3 * 50)
    var c = [Float](repeating: 0, count: 9 * 50)
    let multiply = isBF16 ? vp_gemm_bf16 : vp_gemm_f32
    withScratch(isBF16 ? vp_gemm_bf16_scratch(9, 50, 3) : vp_gemm_f32_scratch(9, 50, 3)) {
      multiply(false, false, 9, 50, 3, a, VP_TYPE_F32, 3, b, VP_TYPE_F32, 50, &c, 50, false, $0)
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
    let (a, b) = (randomFloats(m * k, seed: 1), randomFloats(n * k, seed: 2))
    var whole = [Float](repeating: 0, count: m * n)
    var parts = whole
    withScratch(vp_gemm_bf16_scratch(m, n, k)) {
      vp_gemm_bf16(false, true, m, n, k, a, VP_TYPE_F32, k, b, VP_TYPE_F32, k, &whole, n, false, $0)
    }
    let (row, column) = (5, VP_GEMM_COLUMNS)
    withScratch(vp_packed_b_bf16(n, k)) { packed in
      b.withUnsafeBufferPointer { b in
        vp_pack_b_bf16(true, column, k, b.baseAddress, VP_TYPE_F32, k, packed)
        let rest = packed + vp_packed_b_bf16(column, k)
        vp_pack_b_bf16(true, n - column, k, b.baseAddress! + column * k, VP_TYPE_F32, k, rest)
      }
      withScratch(vp_gemm_bf16_packed_scratch(m, k)) { scratch in
        a.withUnsafeBufferPointer { a in
          parts.withUnsafeMutableBufferPointer { c in
            for (rows, columns) in [(0..<row, 0..<n), (row..<m, 0..<column), (row..<m, column..<n)] {
              vp_gemm_bf16_packed(
                false, rows.count, columns.count, k, a.baseAddress! + rows.lowerBound * k, VP_TYPE_F32, k,
                packed + vp_packed_b_bf16(columns.lowerBound, k),
                c.baseAddress! + rows.lowerBound * n + columns.lowerBound, n, false, scratch)
            }
          }
        }
      }
    }
    #expect(whole == parts)
  }
}
