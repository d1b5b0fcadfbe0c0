import Base
import Glibc

/// Rotary position embedding (RoPE): pairs of numbers are rotated by angles proportional to the position (Su et al.,
/// arXiv 2104.09864).
package struct RotaryEmbedding: Equatable, Sendable {
  /// How the positions are scaled for longer texts than the model was first trained on.
  package enum Scaling: Equatable, Sendable {
    case none
    /// All positions are divided (Chen et al., arXiv 2306.15595).
    case linear(factor: Double)
    /// Texts longer than the model's get a larger base, the longer they are (dynamic NTK).
    case dynamic(factor: Double, maximumLength: Double)
    /// Llama 3.1: low frequencies are divided, high ones are kept, those between are blended.
    case llama3(factor: Double, low: Double, high: Double, originalLength: Double)
    /// YaRN (Peng et al., arXiv 2309.00071): frequencies between two numbers of rotations are blended.
    case yarn(YaRN)
    /// LongRoPE (Ding et al., arXiv 2402.13753): each frequency has a divisor for texts up to the original length, and
    /// one for longer texts.
    case longrope(LongRoPE)
  }

  package struct YaRN: Equatable, Sendable {
    package var factor: Double
    package var originalLength: Double
    /// Rotations within the original length above which a frequency is kept, and below which it is divided.
    package var fast: Double
    package var slow: Double
    /// Whether the pairs between which frequencies are blended are whole numbers.
    package var isTruncated: Bool
    /// By which cosines and sines are multiplied.
    package var attentionFactor: Double
  }

  package struct LongRoPE: Equatable, Sendable {
    /// One for each pair.
    package var short: [Double]
    package var long: [Double]
    package var originalLength: Double
    /// By which cosines and sines are multiplied.
    package var attentionFactor: Double
  }

  package var theta: Double
  package var scaling: Scaling
  /// Number of pairs per head that are rotated: half the head size, or fewer.
  package var half: Int
  /// For positions with three axes (M-RoPE), the number of pairs per axis. Nil: all pairs use the first axis.
  package var sections: [Int]?

  /// Distinguishes the frequencies that texts of different lengths have; 0 where the length is of no matter.
  /// - Parameter length: of the whole text, in positions.
  package func variant(ofLength length: Int) -> Int {
    switch scaling {
    case .dynamic(_, let maximumLength): Double(length) > maximumLength ? length : 0
    case .longrope(let rope): Double(length) > rope.originalLength ? 1 : 0
    case .none, .linear, .llama3, .yarn: 0
    }
  }
}
