import CCompute
import Foundation
import TestModels
import Testing

@testable import Model

/// The kernels that are no products, against float64.
@Suite("Kernels of models") struct ModelKernelTests {
  static func random(_ count: Int, _ scale: Float = 1, seed: UInt64 = 3) -> [Float] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in Float(random.unit() * 2 - 1) * scale }
  }

  @Test("exp, through the softmax of one number at a time", arguments: [1, 15, 16, 33]) func exponential(n: Int) {
    // exp(x − log_sum) with log_sum = 0 is exp itself.
    for start in stride(from: Float(-100), to: 95, by: 0.37) {
      var x = (0..<n).map { start + Float($0) * 0.01 }
      let expected = x.map { Foundation.exp(Double($0)) }
      vp_probabilities(&x, 0, 1, n)
      for (a, b) in zip(x, expected) {
        if b < 1.3e-38 {
          #expect(a == 0 || abs(Double(a) - b) < 1.3e-38)
        } else if b > Double(Float.greatestFiniteMagnitude) {
          #expect(a == .infinity)
        } else {
          #expect(abs(Double(a) / b - 1) < 2.5e-7, "exp at \(start): \(a), \(b)")
        }
      }
    }
    var odd: [Float] = [.nan, .infinity, -.infinity]
    vp_probabilities(&odd, 0, 1, 3)
    #expect(odd[0].isNaN && odd[1] == .infinity && odd[2] == 0)
  }

  @Test("a row's log-sum, and the first of the largest", arguments: [1, 2, 16, 17, 100, 1000]) func summary(n: Int) {
    var x = Self.random(n, 30)
    let expected = log(x.reduce(0) { $0 + Foundation.exp(Double($1)) })
    let place = x.indices.max { x[$0] < x[$1] }!
    var summary = vp_summarize(x, n)
    #expect(abs(Double(summary.log_sum) - expected) < 1e-5 && Int(summary.largest) == place)
    // Of equals the first, wherever lanes and tails fall.
    for (a, b) in [(0, n - 1), (n / 2, n - 1), (0, n / 2)] {
      x = Self.random(n)
      (x[a], x[b]) = (9, 9)
      summary = vp_summarize(x, n)
      #expect(Int(summary.largest) == a)
    }
  }

  @Test("attention's softmax sees what came before, and nothing after", arguments: [(4, 9, 5), (3, 40, 37), (2, 5, 9)])
  func softmax(rows: Int, columns: Int, first: Int) {
    let scores = Self.random(rows * columns, 5)
    var p = scores
    var sums = [Float](repeating: 0, count: rows)
    vp_causal_softmax(&p, &sums, rows, columns, first, 0.3)
    for r in 0..<rows {
      let seen = min(columns, first + r + 1)
      let row = scores[r * columns..<r * columns + seen].map { Foundation.exp(Double($0) * 0.3) }
      let total = row.reduce(0, +)
      for c in 0..<columns {
        let expected = c < seen ? row[c] / total : 0
        #expect(abs(Double(p[r * columns + c]) - expected) < 1e-6)
      }
      #expect(abs(Double(sums[r]) - log(total)) < 1e-5)
    }
    var again = scores
    vp_causal_softmax_again(&again, sums, rows, columns, first, 0.3)
    #expect(largestDifference(again, p) < 1e-6)
  }

  @Test("KL counts what a holds possible", arguments: [7, 64, 1001]) func divergence(n: Int) {
    func logs(_ seed: UInt64) -> [Float] {
      var x = Self.random(n, 4, seed: seed)
      vp_subtract(&x, vp_summarize(x, n).log_sum, n)
      return x
    }
    let (a, b) = (logs(1), logs(2))
    let expected = zip(a, b).reduce(0.0) { $0 + Foundation.exp(Double($1.0)) * Double($1.0 - $1.1) }
    #expect(abs(vp_kl(a, b, n) - expected) < 1e-5 * max(1, expected) && vp_kl(a, a, n) == 0)
    var (c, d) = (a, b)
    (c[0], d[0]) = (-.infinity, 0)
    #expect(vp_kl(c, d, n).isFinite)
  }
}
