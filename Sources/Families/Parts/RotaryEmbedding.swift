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
    /// Llama 3.1: low frequencies are divided, high ones are kept, those between are blended.
    case llama3(factor: Double, low: Double, high: Double, originalLength: Double)
    /// YaRN (Peng et al., arXiv 2309.00071): frequencies between two numbers of rotations are blended.
    case yarn(YaRN)
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

  package var theta: Double
  package var scaling: Scaling
  /// Number of pairs per head: half the head size.
  package var half: Int
  /// For positions with three axes (M-RoPE), the number of pairs per axis. Nil: all pairs use the first axis.
  package var sections: [Int]?

  /// Reads a config, old (`rope_theta`, `rope_scaling`) or new (`rope_parameters`).
  /// - Parameters:
  ///   - standardTheta: default of the model's config class.
  ///   - maximumLength: of the model's texts.
  package init(
    _ json: JSON, headSize: Int, standardTheta: Double = 10_000, maximumLength: Int, path: String
  ) throws {
    let found = [json["rope_scaling"], json["rope_parameters"]].compactMap(\.self).filter {
      $0.object?.isEmpty == false
    }
    guard found.count < 2 || found[0].canonical() == found[1].canonical() else {
      throw VPatchError(
        .invalid, path, "has different rope_scaling and rope_parameters", remedy: "remove the wrong one")
    }
    let parameters = found.first
    if let nested = parameters?.object?.first(where: { $0.value.object != nil }) {
      throw VPatchError(
        .refused, path,
        "has a rotary embedding per layer type (\"\(nested.key.printable)\"), which is not supported",
        remedy: "if all layers use the same one, write rope_parameters without layer types")
    }
    func number(_ key: String) throws -> Double {
      guard let value = parameters?[key]?.double, value.isFinite, value > 0 else {
        throw VPatchError(.invalid, path, "has no usable \"\(key)\" for its rotary embedding")
      }
      return value
    }
    // As transformers 5.24 standardises it: a member beside the rotary embedding's has precedence.
    func originalLength() throws -> Double {
      if let value = json["original_max_position_embeddings"]?.double { return value }
      let key = "original_max_position_embeddings"
      guard let value = parameters?[key], value != .null else { return Double(maximumLength) }
      return try number(key)
    }
    half = headSize / 2
    theta = parameters?["rope_theta"]?.double ?? json["rope_theta"]?.double ?? standardTheta
    guard theta.isFinite, theta > 0 else { throw VPatchError(.invalid, path, "has no usable \"rope_theta\"") }
    guard (json["partial_rotary_factor"] ?? parameters?["partial_rotary_factor"])?.double ?? 1 == 1 else {
      throw VPatchError(.refused, path, "has a partial_rotary_factor other than 1, which is not supported")
    }
    if let list = parameters?["mrope_section"] {
      guard let sections = list.array?.compactMap(\.int), sections.count == 3,
        sections.allSatisfy((0...half).contains), sections.reduce(0, +) == half
      else { throw VPatchError(.invalid, path, "has a \"mrope_section\" that is not three numbers of sum \(half)") }
      self.sections = sections
    }
    let type = parameters?["rope_type"]?.string ?? parameters?["type"]?.string ?? "default"
    switch type {
    case "default": scaling = .none
    // For Qwen2-VL's first configs; newer ones have "default" with sections.
    case "mrope" where sections != nil: scaling = .none
    case "linear": scaling = .linear(factor: try number("factor"))
    case "llama3":
      scaling = .llama3(
        factor: try number("factor"), low: try number("low_freq_factor"), high: try number("high_freq_factor"),
        originalLength: try originalLength())
    case "yarn":
      scaling = .yarn(
        try YaRN(
          parameters ?? .object([]), originalLength: originalLength(), maximumLength: maximumLength, number: number))
    default:
      throw VPatchError(
        .refused, path, "has the unknown rotary embedding \"\(type.printable)\"",
        remedy: "known are default, linear, llama3, yarn")
    }
  }
}

extension RotaryEmbedding.YaRN {
  /// As transformers 5.24 reads it (modeling_rope_utils.py, _compute_yarn_parameters).
  fileprivate init(
    _ parameters: JSON, originalLength: Double, maximumLength: Int, number: (String) throws -> Double
  ) throws {
    func optional(_ key: String) throws -> Double? {
      guard let value = parameters[key], value != .null else { return nil }
      return try number(key)
    }
    self.originalLength = originalLength
    let factor = try optional("factor") ?? Double(maximumLength) / originalLength
    func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    let (mscale, all) = (try optional("mscale"), try optional("mscale_all_dim"))
    let standard = if let mscale, let all { scale(mscale) / scale(all) } else { scale(1) }
    self.factor = factor
    attentionFactor = try optional("attention_factor") ?? standard
    (fast, slow) = (try optional("beta_fast") ?? 32, try optional("beta_slow") ?? 1)
    isTruncated = parameters["truncate"]?.bool ?? true
  }
}
