import Foundation
import Testing

@testable import Model

/// Attention against its formula in float64.
@Suite("Attention") struct AttentionTests {
  struct Result {
    var output: [Float]
    var gradient: [Float]
  }

  static let sequences = [0..<5, 5..<145, 145..<146, 146..<290]
  static let tokens = 290

  static func run(_ shape: Attention.Shape, threads: Int, window: Int? = nil) throws -> (
    input: [Float], upstream: [Float], Result
  ) {
    let attention = Attention(shape: shape, compute: try Compute(threads: threads), window: window)
    let qkv = Floats(randomFloats(tokens * shape.width, seed: 1))
    let upstream = Floats(randomFloats(tokens * shape.queryWidth, seed: 2))
    let output = Floats(tokens * shape.queryWidth)
    let logSums = Floats(tokens * shape.heads)
    let gradient = Floats(tokens * shape.width)
    attention.forward(
      attention.spans(sequences, in: qkv.start), tokens: tokens, qkv.start, output: output.start,
      logSums: logSums.start)
    attention.backward(
      sequences, tokens: tokens, qkv.start, output: output.start, logSums: logSums.start, dOutput: upstream.start,
      dqkv: gradient.start)
    return (qkv.array, upstream.array, Result(output: output.array, gradient: gradient.array))
  }

  /// The same, number by number.
  static func reference(
    _ shape: Attention.Shape, _ qkv: [Float], _ upstream: [Float], window: Int? = nil
  ) -> Result {
    let (d, group) = (shape.headSize, shape.heads / shape.keyValueHeads)
    let scale = shape.scale.map(Double.init) ?? 1 / Double(d).squareRoot()
    var result = Result(
      output: Array(repeating: 0, count: upstream.count), gradient: Array(repeating: 0, count: qkv.count))
    for range in sequences {
      for head in 0..<shape.heads {
        for token in range {
          func row(_ token: Int, _ first: Int) -> [Double] {
            (0..<d).map { Double(qkv[token * shape.width + first + $0]) }
          }
          func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
          let key = shape.queryWidth + head / group * d
          let value = key + shape.keyValueWidth
          let first = window.map { max(token - $0 + 1, range.lowerBound) } ?? range.lowerBound
          let seen = shape.isCausal ? first..<token + 1 : range
          let query = row(token, head * d)
          var p = seen.map { exp(dot(query, row($0, key)) * scale) }
          let sum = p.reduce(0, +)
          p = p.map { $0 / sum }
          let place = token * shape.queryWidth + head * d
          let up = (0..<d).map { Double(upstream[place + $0]) }
          let dp = seen.map { dot(up, row($0, value)) }
          let mean = zip(p, dp).reduce(0) { $0 + $1.0 * $1.1 }
          for (i, other) in seen.enumerated() {
            let ds = p[i] * (dp[i] - mean) * scale
            let (k, v) = (row(other, key), row(other, value))
            for j in 0..<d {
              result.output[place + j] += Float(p[i] * v[j])
              result.gradient[token * shape.width + head * d + j] += Float(ds * k[j])
              result.gradient[other * shape.width + key + j] += Float(ds * query[j])
              result.gradient[other * shape.width + value + j] += Float(p[i] * up[j])
            }
          }
        }
      }
    }
    return result
  }

  @Test("forward and back, causal and not, on any number of threads", arguments: [true, false])
  func formula(isCausal: Bool) throws {
    let shape = Attention.Shape(heads: 4, keyValueHeads: 2, headSize: 6, isCausal: isCausal)
    let (input, upstream, result) = try Self.run(shape, threads: 1)
    let expected = Self.reference(shape, input, upstream)
    #expect(zip(result.output, expected.output).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(zip(result.gradient, expected.gradient).allSatisfy { abs($0 - $1) < 1e-4 })
    let (_, _, parallel) = try Self.run(shape, threads: 3)
    #expect(parallel.output == result.output && parallel.gradient == result.gradient)
  }

  /// Within a block of queries, across two, and as long as a sequence.
  @Test("a window", arguments: [1, 2, 7, 100, 128, 130, 143, 144, 200]) func window(_ window: Int) throws {
    let shape = Attention.Shape(heads: 4, keyValueHeads: 2, headSize: 6, isCausal: true, scale: 0.3)
    let (input, upstream, result) = try Self.run(shape, threads: 2, window: window)
    let expected = Self.reference(shape, input, upstream, window: window)
    #expect(zip(result.output, expected.output).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(zip(result.gradient, expected.gradient).allSatisfy { abs($0 - $1) < 1e-4 })
  }
}
