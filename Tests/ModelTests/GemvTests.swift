import CCompute
import Testing

@Suite struct GemvTests {
  private static func multiply(
    _ isa: vp_isa, n: Int, k: Int, _ w: Numbers, ldw: Int, count: Int, _ x: [Float], ldx: Int, ldy: Int
  ) -> [Float] {
    var y = [Float](repeating: 7, count: count * ldy)
    w.withAddress { vp_gemv_kernel_for(isa)!(n, k, $0, w.type, ldw, count, x, ldx, &y, ldy) }
    return y
  }

  @Test(arguments: allTypes, [(1, 1, 1), (5, 15, 2), (4, 16, 3), (7, 33, 4), (9, 100, 5), (6, 64, 8), (3, 40, 19)])
  func productsAreThoseInFloat64AndTheSameOnAllInstructions(type: vp_type, size: (n: Int, k: Int, count: Int)) {
    let (n, k, count) = size
    let (ldw, ldx, ldy) = (k + 3, k + 1, n + 2)
    let w = Numbers(randomFloats(n * ldw, seed: 4), type)
    let x = randomFloats(count * ldx, seed: 5)
    var fused: [Float]?
    for isa in availableISAs {
      let y = Self.multiply(isa, n: n, k: k, w, ldw: ldw, count: count, x, ldx: ldx, ldy: ldy)
      for vector in 0..<count {
        for row in 0..<ldy {
          let product = y[vector * ldy + row]
          guard row < n else {
            #expect(product == 7, "wrote behind row \(vector)")
            continue
          }
          let terms = (0..<k).map { Double(w.values[row * ldw + $0]) * Double(x[vector * ldx + $0]) }
          let scale = terms.reduce(0) { $0 + abs($1) }
          #expect(abs(Double(product) - terms.reduce(0, +)) <= 5e-7 * scale)
        }
      }
      if isa != VP_BASELINE {
        #expect(fused == nil || fused == y, "instructions \(isa.rawValue)")
        fused = y
      }
    }
  }

  /// Rows may be split over threads anyhow, and vectors over calls.
  @Test func aPartOfAProductHasTheBitsOfTheWhole() {
    let (n, k, count) = (11, 37, 8)
    let w = Numbers(randomFloats(n * k, seed: 6), VP_TYPE_BF16)
    let x = randomFloats(count * k, seed: 7)
    for isa in availableISAs {
      let whole = Self.multiply(isa, n: n, k: k, w, ldw: k, count: count, x, ldx: k, ldy: n)
      for vector in 0..<count {
        var parts = [Float](repeating: 0, count: n)
        for rows in [0..<3, 3..<n] {
          w.withAddress { w in
            x.withUnsafeBufferPointer { x in
              parts.withUnsafeMutableBufferPointer { y in
                vp_gemv_kernel_for(isa)!(
                  rows.count, k, w + rows.lowerBound * k * 2, VP_TYPE_BF16, k, 1, x.baseAddress! + vector * k, k,
                  y.baseAddress! + rows.lowerBound, n)
              }
            }
          }
        }
        #expect(parts == Array(whole[vector * n..<(vector + 1) * n]))
      }
    }
  }

  @Test func whatIsNotFiniteGoesThroughAndStaysInItsRow() {
    let w = Numbers([.infinity, 1, 1, .nan, 1, 1, 2, 3, 4], VP_TYPE_F32)
    for isa in availableISAs {
      let y = Self.multiply(isa, n: 3, k: 3, w, ldw: 3, count: 1, [1, 1, 1], ldx: 3, ldy: 3)
      #expect(y[0] == .infinity && y[1].isNaN && y[2] == 9)
    }
  }
}
