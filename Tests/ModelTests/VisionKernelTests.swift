import CCompute
import Foundation
import TestModels
import Testing

/// The kernels of vision towers, against float64, with all instructions that there are.
@Suite("Kernels of vision towers") struct VisionKernelTests {
  static func floats(_ count: Int, _ scale: Float, seed: UInt64) -> [Float] {
    randomFloats(count, seed: seed).map { $0 * scale }
  }

  /// Runs something with each set of kernels, and expects the same bits from all.
  static func same(_ body: (vp_model_kernels) -> [Float]) -> [Float] {
    let results = availableISAs.map { body(vp_model_kernels_for($0).pointee) }
    for result in results { #expect(result.map(\.bitPattern) == results[0].map(\.bitPattern)) }
    return results[0]
  }

  @Test("GELU, its approximations, and their derivatives", arguments: [1, 15, 16, 37]) func activations(n: Int) {
    for start in stride(from: Float(-12), to: 12, by: 0.173) {
      let x = (0..<n).map { start + Float($0) * 0.01 }
      let dy = Self.floats(n, 1, seed: 4)
      let exact = Self.same { kernels in
        var y = x
        kernels.gelu(x, &y, n)
        return y
      }
      let back = Self.same { kernels in
        var dx = dy
        kernels.gelu_backward(x, dx, &dx, n)
        return dx
      }
      for (i, value) in x.enumerated() {
        let v = Double(value)
        let (normal, density) = (0.5 * erfc(-v / 2.0.squareRoot()), exp(-v * v / 2) / (2 * .pi).squareRoot())
        #expect(abs(Double(exact[i]) - v * normal) < 2e-7 * max(1, abs(v)), "at \(v)")
        #expect(abs(Double(back[i]) - Double(dy[i]) * (normal + v * density)) < 5e-7, "at \(v)")
      }
      for (a, b) in [(Float(1.702), Float(0)), (1.595_769_1, 0.071_354_816)] {
        let y = Self.same { kernels in
          var y = x
          kernels.swish(x, &y, n, a, b)
          return y
        }
        let dx = Self.same { kernels in
          var dx = dy
          kernels.swish_backward(x, dx, &dx, n, a, b)
          return dx
        }
        for (i, value) in x.enumerated() {
          let (v, a, b) = (Double(value), Double(a), Double(b))
          let s = 1 / (1 + exp(-(a * v + b * v * v * v)))
          #expect(abs(Double(y[i]) - v * s) < 4e-7 * max(1, abs(v)), "at \(v)")
          let slope = s + v * (a + 3 * b * v * v) * s * (1 - s)
          #expect(abs(Double(dx[i]) - Double(dy[i]) * slope) < 2e-6, "at \(v)")
        }
      }
    }
  }

  @Test("LayerNorm and back", arguments: [1, 5, 16, 33, 96]) func norm(n: Int) {
    let (rows, epsilon) = (3, Float(1e-5))
    // Far from zero, where a variance of squares would be lost.
    let x = Self.floats(rows * n, 2, seed: 1).map { $0 + 30 }
    let (w, b, dy) = (Self.floats(n, 1, seed: 2), Self.floats(n, 1, seed: 3), Self.floats(rows * n, 1, seed: 4))
    let y = Self.same { kernels in
      var y = x
      kernels.layer_norm(x, w, b, &y, rows, n, epsilon)
      return y
    }
    let gradients = Self.same { kernels in
      var (dx, dw, db) = ([Float](repeating: 1, count: rows * n), [Float](repeating: 2, count: n), w)
      kernels.layer_norm_backward(dy, x, w, &dx, &dw, &db, rows, n, epsilon)
      return dx + dw + db
    }
    var (dw, db) = ([Double](repeating: 2, count: n), w.map(Double.init))
    for r in 0..<rows {
      let row = x[r * n..<(r + 1) * n].map(Double.init)
      let mean = row.reduce(0, +) / Double(n)
      let deviation = (row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n) + Double(epsilon)).squareRoot()
      let z = row.map { ($0 - mean) / deviation }
      let g = (0..<n).map { Double(dy[r * n + $0]) * Double(w[$0]) }
      let (shift, dot) = (g.reduce(0, +) / Double(n), zip(g, z).reduce(0) { $0 + $1.0 * $1.1 } / Double(n))
      for i in 0..<n {
        #expect(abs(Double(y[r * n + i]) - (z[i] * Double(w[i]) + Double(b[i]))) < 1e-5)
        let dx = 1 + (g[i] - shift - z[i] * dot) / deviation
        #expect(abs(Double(gradients[r * n + i]) - dx) < 1e-5 / min(1, deviation))
        dw[i] += Double(dy[r * n + i]) * z[i]
        db[i] += Double(dy[r * n + i])
      }
    }
    for i in 0..<n {
      #expect(abs(Double(gradients[rows * n + i]) - dw[i]) < 2e-5)
      #expect(abs(Double(gradients[rows * n + n + i]) - db[i]) < 2e-5)
    }
  }

  @Test("factors of rows", arguments: [7, 16, 50]) func factors(n: Int) {
    let (a, b) = (Self.floats(2 * n, 1, seed: 1), Self.floats(2 * n, 1, seed: 2))
    let result = Self.same { kernels in
      var (scaled, sums, added) = (a, [Float](repeating: 1, count: n), a)
      kernels.scale_rows(&scaled, b, 2, n)
      kernels.sum_products(a, b, &sums, 2, n)
      kernels.add_scaled(&added, b, 0.3, 2 * n)
      return scaled + sums + added
    }
    for i in 0..<n {
      #expect(result[i] == a[i] * b[i] && result[n + i] == a[n + i] * b[i])
      #expect(abs(result[2 * n + i] - (1 + a[i] * b[i] + a[n + i] * b[n + i])) < 1e-6)
      #expect(abs(result[3 * n + i] - (a[i] + 0.3 * b[i])) < 1e-6)
    }
  }
}
