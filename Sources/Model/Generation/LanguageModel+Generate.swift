import Text

extension LanguageModel {
  /// Continues a text.
  /// - Parameters:
  ///   - limit: maximum number of new tokens.
  ///   - stop: the text ends before one of these tokens.
  ///   - each: called for every new token; returning false ends the text.
  package func generate(
    _ prompt: TokenSequence, limit: Int, _ sampling: Sampling, stop: Set<Int32>, each: (Int32) throws -> Bool
  ) throws {
    let generation = try Generation(self, [prompt], limit: limit)
    var random = SeededRandom(seed: sampling.seed)
    for step in 0..<limit {
      var next: Int32 = 0
      generation.forEachDistribution([0]) { _, distribution in next = sampling.choose(distribution, &random) }
      guard !stop.contains(next), try each(next) else { return }
      if step + 1 < limit { try generation.append([(0, next)]) }
    }
  }

  /// Texts per forward pass: each weight is read once for all of them.
  private static let together = 8

  package func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((_ prompt: Int, _ step: Int, _ logProbabilities: UnsafeBufferPointer<Float>) -> Void)?
  ) throws -> [[Int32]] {
    var texts = prompts.map { _ in [Int32]() }
    for start in stride(from: 0, to: prompts.count, by: Self.together) {
      let group = Array(prompts[start..<min(start + Self.together, prompts.count)])
      let generation = try Generation(self, group, limit: limit)
      var active = Array(group.indices)
      for step in 0..<limit where !active.isEmpty {
        var chosen: [(text: Int, id: Int32)] = []
        generation.forEachDistribution(active) { i, distribution in
          observe?(start + i, step, distribution)
          let id = Sampling.largest(distribution)
          if !stop.contains(id) { chosen.append((i, id)) }
        }
        for (i, id) in chosen { texts[start + i].append(id) }
        active = chosen.map(\.text)
        if step + 1 < limit, !chosen.isEmpty { try generation.append(chosen) }
      }
    }
    return texts
  }
}
