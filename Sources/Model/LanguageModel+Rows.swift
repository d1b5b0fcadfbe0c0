import Text

/// Scores of a row of data.
package struct RowScore: Equatable, Sendable {
  package let ids: [Int32]
  /// Of each token but the first, given those before it; natural logarithms.
  package let logProbabilities: [Float]
  /// The mean of −log p over the tokens that count in the loss; nil if there are none.
  package let loss: Double?
}

extension LanguageModel {
  package func scores(of examples: [Example]) throws -> [RowScore] {
    let scores = try self.scores(of: examples.map(\.sequence))
    return zip(examples, scores).map { example, scores in
      let answers = zip(example.labels.dropFirst(), scores).filter { $0.0 != Example.ignored }
      let sum = answers.reduce(0.0) { $0 - Double($1.1.logProbability) }
      return RowScore(
        ids: example.ids, logProbabilities: scores.map(\.logProbability),
        loss: answers.isEmpty ? nil : sum / Double(answers.count))
    }
  }
}
