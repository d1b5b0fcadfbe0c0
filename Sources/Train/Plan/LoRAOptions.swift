import Base
import Model
import PatchFormat

/// LoRA (Hu et al., arXiv 2106.09685), as PEFT computes it.
package struct LoRAOptions: Equatable, Sendable {
  package let rank: Int
  /// The change is alpha / rank · B · A.
  package let alpha: Double
  /// The change is alpha / √rank · B · A (rsLoRA; Kalajdzievski, arXiv 2312.03732).
  package let isRankStabilized: Bool
  /// Probability with which a number of the factors' input is dropped.
  package let dropout: Double
  /// Whether the patch keeps the whole adapter, even if it is smaller without.
  package let keepsAdapter: Bool

  /// - Parameter alpha: nil for twice the rank.
  /// - Throws: `refused` for a value that is out of range.
  package init(
    rank: Int, alpha: Double? = nil, isRankStabilized: Bool = false, dropout: Double = 0, keepsAdapter: Bool = false
  ) throws {
    func require(_ isRight: Bool, _ option: String, _ value: String, _ remedy: String) throws {
      guard !isRight else { return }
      throw VPatchError(.refused, nil, "\(option) is \(value)", remedy: remedy)
    }
    try require(
      1...LowRank.maximumRank ~= rank, "--lora", "\(rank)", "give a rank from 1 to \(LowRank.maximumRank)")
    if let alpha {
      try require(
        alpha > 0 && alpha.isFinite && Float(alpha).isFinite, "--alpha", Format.plain(alpha),
        "give a number greater than 0, such as \(2 * rank)")
    }
    try require(
      0...Dropout.most ~= dropout, "--dropout", Format.plain(dropout),
      "give a number from 0 to less than 1, such as 0.05"
    )
    self.rank = rank
    self.alpha = alpha ?? Double(2 * rank)
    self.isRankStabilized = isRankStabilized
    self.dropout = dropout
    self.keepsAdapter = keepsAdapter
  }

  package var scale: Double { alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank)) }
}
