/// Sequences one behind the other, without padding.
public struct TokenBatch: Equatable, Sendable {
  public let ids: [Int32]
  /// Where each sequence lies in `ids`.
  public let sequences: [Range<Int>]
  /// Of each token, in its sequence.
  public let positions: [Int32]

  /// - Parameter first: the position of each sequence's first token, where something came before it.
  public init(_ sequences: [[Int32]], from first: [Int]? = nil) {
    ids = sequences.flatMap(\.self)
    positions = sequences.enumerated().flatMap { i, sequence in
      sequence.indices.map { Int32($0 + (first?[i] ?? 0)) }
    }
    var start = 0
    self.sequences = sequences.map { sequence in
      defer { start += sequence.count }
      return start..<start + sequence.count
    }
  }

  public var count: Int { ids.count }
}
