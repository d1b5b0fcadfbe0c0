import CCompute

/// Dropout of a training step (Srivastava et al., JMLR 2014). Whether a number is dropped depends only on the seed, the
/// step, the row of the batch, the token's position, the matrix and the column: a run that is resumed, that recomputes
/// activations, or that has other threads or micro-batches drops the same numbers.
package struct Dropout: Sendable {
  /// The probability, in 65536ths.
  let dropped: UInt32
  private let key: UInt64

  /// - Parameters:
  ///   - probability: at least 0, less than 1; rounded to 65536ths.
  ///   - seed: of the run.
  ///   - step: from 0.
  package init(probability: Double, seed: UInt64, step: Int) {
    dropped = UInt32((probability * 65536).rounded())
    key = vp_mix64(vp_mix64(seed &+ 0xD0D0) &+ UInt64(step))
  }

  /// The largest probability below 1.
  package static let most = 65535.0 / 65536

  /// Keys of a micro-batch's tokens.
  /// - Parameters:
  ///   - sequences: the tokens of each row.
  ///   - first: the first row's number in the batch.
  func rows(_ sequences: [Range<Int>], first: Int) -> Rows {
    Rows(
      dropped: dropped,
      keys: sequences.enumerated().flatMap { i, tokens in
        (0..<tokens.count).map { vp_mix64(key &+ (UInt64(first + i) << 32 | UInt64($0))) }
      })
  }

  /// What decides on the numbers of the tokens of one pass.
  struct Rows: Sendable {
    let dropped: UInt32
    /// One for each token.
    let keys: [UInt64]
  }
}

extension Dropout {
  /// A row of numbers as the first matrix of a run gets it.
  package func dropped(_ x: [Float], row: Int, position: Int) -> [Float] {
    let keys = rows([0..<position + 1], first: row).keys
    return [Float](unsafeUninitializedCapacity: x.count) { buffer, count in
      vp_dropout(x, buffer.baseAddress!, x.count, vp_mix64(keys[position]), dropped, false)
      count = x.count
    }
  }
}
