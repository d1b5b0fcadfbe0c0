import Text

/// A language model as evaluation uses it.
package protocol NextTokenModel {
  /// Checks that the weights were not written to while they were read. Call it before reporting results.
  func requireUnchanged() throws

  var vocabularySize: Int { get }

  /// Scores of each sequence's tokens but the first: entry *i* is of token *i* + 1, given tokens 0 … *i*.
  func scores(of sequences: [TokenSequence]) throws -> [[TokenScore]]

  /// Calls `body` with the log-probabilities of the next token after chosen positions, each `vocabularySize` long, in
  /// order of sequence and position. They are not held for all positions at once.
  /// - Parameter positions: for each sequence, the chosen positions.
  func forEachDistribution(
    of sequences: [TokenSequence], at positions: [Range<Int>],
    _ body: (_ sequence: Int, _ position: Int, _ logProbabilities: UnsafeBufferPointer<Float>) throws -> Void
  ) throws

  /// Continues each prompt by greedy decoding.
  /// - Parameters:
  ///   - stop: generation of a sequence ends with (and without) one of these tokens.
  ///   - limit: maximum number of new tokens per sequence.
  ///   - observe: called with the log-probabilities from which each token is chosen.
  func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((_ prompt: Int, _ step: Int, _ logProbabilities: UnsafeBufferPointer<Float>) -> Void)?
  ) throws -> [[Int32]]
}

extension NextTokenModel {
  /// For weights that are not in a file.
  package func requireUnchanged() throws {}
}
