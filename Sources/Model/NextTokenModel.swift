import Text

/// A language model as evaluations see it.
package protocol NextTokenModel {
  /// Nobody wrote to the weights while they were read: to be asked before what was computed with them is told.
  func requireUnchanged() throws

  var vocabularySize: Int { get }

  /// For each sequence the scores of its tokens but the first: entry *i* is of token *i* + 1, given tokens 0 … *i*.
  func scores(of sequences: [TokenSequence]) throws -> [[TokenScore]]

  /// Calls `body` with the log-probabilities of all tokens after chosen positions, each `vocabularySize` long, in order
  /// of sequence and position. Nothing is held for all positions at once.
  /// - Parameter positions: for each sequence, which of its positions.
  func forEachDistribution(
    of sequences: [TokenSequence], at positions: [Range<Int>],
    _ body: (_ sequence: Int, _ position: Int, _ logProbabilities: UnsafeBufferPointer<Float>) throws -> Void
  ) throws

  /// Continues each prompt greedily.
  /// - Parameters:
  ///   - stop: generation of a sequence ends with (and without) one of these.
  ///   - limit: most tokens a sequence gets.
  ///   - observe: is given the log-probabilities that each token is chosen from.
  func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((_ prompt: Int, _ step: Int, _ logProbabilities: UnsafeBufferPointer<Float>) -> Void)?
  ) throws -> [[Int32]]
}

extension NextTokenModel {
  /// Weights that are in no file are as they are.
  package func requireUnchanged() throws {}
}
