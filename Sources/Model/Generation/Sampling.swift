import Glibc

/// How the next token is sampled.
package struct Sampling: Equatable, Sendable {
  /// Divides the logits; 0: greedy, always the most probable token.
  package var temperature: Double
  /// Nucleus sampling: the smallest set of tokens whose probabilities add up to this (Holtzman et al., arXiv
  /// 1904.09751).
  package var topP: Double
  /// Only the k most probable tokens; 0: all.
  package var topK: Int
  package var seed: UInt64

  package static let greedy = Sampling(temperature: 0, topP: 1, topK: 0, seed: 0)

  package init(temperature: Double, topP: Double = 1, topK: Int = 0, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topP = topP
    self.topK = topK
    self.seed = seed
  }

  /// - Parameter logProbabilities: one per token of the vocabulary.
  func choose(_ logProbabilities: UnsafeBufferPointer<Float>, _ random: inout SeededRandom) -> Int32 {
    guard temperature > 0 else { return Self.largest(logProbabilities) }
    // Sorted by probability, ties by id, so that a seed always gives the same tokens.
    let keeps = topK > 0 ? min(topK, logProbabilities.count) : logProbabilities.count
    let order = logProbabilities.indices.sorted {
      let (a, b) = (logProbabilities[$0], logProbabilities[$1])
      return a != b ? a > b : $0 < $1
    }.prefix(keeps)
    let top = Double(logProbabilities[order[0]])
    var weights = order.map { exp((Double(logProbabilities[$0]) - top) / temperature) }
    let total = weights.reduce(0, +)
    var sum = 0.0
    if let last = weights.firstIndex(where: {
      sum += $0
      return sum >= topP * total
    }) {
      weights.removeSubrange((last + 1)...)
    } else {
      sum = total
    }
    var mark = random.unit() * sum
    for (i, weight) in weights.enumerated() {
      mark -= weight
      if mark < 0 { return Int32(order[i]) }
    }
    return Int32(order[weights.count - 1])
  }

  /// Index of the most probable token; of equal ones the first.
  static func largest(_ values: UnsafeBufferPointer<Float>) -> Int32 {
    var best = 0
    for i in values.indices where values[i] > values[best] { best = i }
    return Int32(best)
  }
}
