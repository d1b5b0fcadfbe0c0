import Families
import Glibc

extension RotaryEmbedding {
  /// The angle of each pair at position 1.
  /// - Parameter variant: of the text's length.
  func frequencies(_ variant: Int) -> [Float] {
    let theta = base(variant)
    return (0..<half).map { i in
      let frequency = pow(theta, -Double(i) / Double(half))
      switch scaling {
      case .none, .dynamic: return Float(frequency)
      case .linear(let factor): return Float(frequency / factor)
      case .llama3(let factor, let low, let high, let originalLength):
        let rotations = originalLength * frequency / (2 * .pi)
        if rotations > high { return Float(frequency) }
        if rotations < low { return Float(frequency / factor) }
        let share = (rotations - low) / (high - low)
        return Float((1 - share) * frequency / factor + share * frequency)
      case .yarn(let yarn): return Float(yarn.blended(frequency, pair: i, half: half, theta: theta))
      case .longrope(let rope): return Float(frequency / (variant == 0 ? rope.short : rope.long)[i])
      }
    }
  }

  /// The base of the frequencies.
  private func base(_ variant: Int) -> Double {
    guard case .dynamic(let factor, let maximumLength) = scaling, variant > 0 else { return theta }
    let growth = factor * Double(variant) / maximumLength - (factor - 1)
    return theta * pow(growth, Double(2 * half) / Double(2 * half - 2))
  }

  /// By which cosines and sines are multiplied.
  var attentionFactor: Double {
    switch scaling {
    case .yarn(let yarn): yarn.attentionFactor
    case .longrope(let rope): rope.attentionFactor
    case .none, .linear, .dynamic, .llama3: 1
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

/// Cosines and sines of positions, computed once for each position and variant.
final class RotaryTable {
  private let embedding: RotaryEmbedding
  /// Pairs that use the same axis.
  private let runs: [(axis: Int, pairs: Range<Int>)]
  /// By variant.
  private var tables: [Int: Table] = [:]

  init(_ embedding: RotaryEmbedding) {
    self.embedding = embedding
    var start = 0
    runs = (embedding.sections ?? [embedding.half]).enumerated().map { axis, count in
      defer { start += count }
      return (axis, start..<start + count)
    }
  }

  /// For each token a row of `half` cosines and one of sines.
  func rows(_ batch: TokenBatch, cosines out: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>) {
    let half = embedding.half
    for (tokens, length) in zip(batch.sequences, batch.lengths) {
      let table = table(embedding.variant(ofLength: length))
      table.grow(to: batch.positions.next(after: tokens))
      for (axis, pairs) in runs {
        let positions = batch.positions.axes[axis]
        for i in tokens {
          let (to, from) = (i * half + pairs.lowerBound, Int(positions[i]) * half + pairs.lowerBound)
          memcpy(out + to, table.cosines.start + from, pairs.count * 4)
          memcpy(sines + to, table.sines.start + from, pairs.count * 4)
        }
      }
    }
  }

  /// Texts of many lengths would fill the memory with tables.
  private static let mostTables = 4

  private func table(_ variant: Int) -> Table {
    if let table = tables[variant] { return table }
    if tables.count >= Self.mostTables { tables = [:] }
    let table = Table(embedding.frequencies(variant), factor: Float(embedding.attentionFactor))
    tables[variant] = table
    return table
  }

  private final class Table {
    private let frequencies: [Float]
    private let factor: Float
    private(set) var cosines = Floats(0)
    private(set) var sines = Floats(0)
    private var length = 0

    init(_ frequencies: [Float], factor: Float) {
      self.frequencies = frequencies
      self.factor = factor
    }

    func grow(to wanted: Int) {
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
}
