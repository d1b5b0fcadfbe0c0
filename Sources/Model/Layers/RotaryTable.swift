import Families
import Glibc

extension RotaryEmbedding {
  /// The angle of each pair at position 1.
  var frequencies: [Float] {
    (0..<half).map { i in
      let frequency = pow(theta, -Double(i) / Double(half))
      switch scaling {
      case .none: return Float(frequency)
      case .linear(let factor): return Float(frequency / factor)
      case .llama3(let factor, let low, let high, let originalLength):
        let rotations = originalLength * frequency / (2 * .pi)
        if rotations > high { return Float(frequency) }
        if rotations < low { return Float(frequency / factor) }
        let share = (rotations - low) / (high - low)
        return Float((1 - share) * frequency / factor + share * frequency)
      case .yarn(let yarn): return Float(yarn.blended(frequency, pair: i, half: half, theta: theta))
      }
    }
  }
}

extension RotaryEmbedding.YaRN {
  /// The frequency of a pair: as it is, divided by the factor, or between the two.
  fileprivate func blended(_ frequency: Double, pair: Int, half: Int, theta: Double) -> Double {
    func pairs(_ rotations: Double) -> Double {
      Double(half) * log(originalLength / (rotations * 2 * .pi)) / log(theta)
    }
    var (low, high) = (pairs(fast), pairs(slow))
    if isTruncated { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    low = max(low, 0)
    high = min(high, Double(2 * half - 1))
    // transformers' way around a division by zero.
    if low == high { high += 0.001 }
    let share = min(max((Double(pair) - low) / (high - low), 0), 1)
    return frequency / factor * share + frequency * (1 - share)
  }
}

/// Cosines and sines of positions, computed once for each position.
final class RotaryTable {
  private let frequencies: [Float]
  /// By which cosines and sines are multiplied.
  private let factor: Float
  /// Pairs that use the same axis.
  private let runs: [(axis: Int, pairs: Range<Int>)]
  private var cosines = Floats(0)
  private var sines = Floats(0)
  private var length = 0

  init(_ embedding: RotaryEmbedding) {
    frequencies = embedding.frequencies
    if case .yarn(let yarn) = embedding.scaling { factor = Float(yarn.attentionFactor) } else { factor = 1 }
    var start = 0
    runs = (embedding.sections ?? [embedding.half]).enumerated().map { axis, count in
      defer { start += count }
      return (axis, start..<start + count)
    }
  }

  /// For each token a row of `half` cosines and one of sines.
  func rows(_ positions: TokenPositions, cosines out: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>) {
    let half = frequencies.count
    grow(to: Int(runs.compactMap { positions.axes[$0.axis].max() }.max() ?? 0) + 1)
    for (axis, pairs) in runs {
      for (i, position) in positions.axes[axis].enumerated() {
        let (to, from) = (i * half + pairs.lowerBound, Int(position) * half + pairs.lowerBound)
        memcpy(out + to, cosines.start + from, pairs.count * 4)
        memcpy(sines + to, self.sines.start + from, pairs.count * 4)
      }
    }
  }

  private func grow(to wanted: Int) {
    guard wanted > length else { return }
    let half = frequencies.count
    let size = max(wanted, 2 * length, 256)
    let (c, s) = (Floats(size * half), Floats(size * half))
    for position in 0..<size {
      for (i, frequency) in frequencies.enumerated() {
        // The product in float32, as in the models' training; the functions in float64, rounded once.
        let angle = Double(Float(position) * frequency)
        c.start[position * half + i] = Float(cos(angle)) * factor
        s.start[position * half + i] = Float(sin(angle)) * factor
      }
    }
    (cosines, sines, length) = (c, s, size)
  }
}
