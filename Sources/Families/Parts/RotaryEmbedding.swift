import Base

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
  }

  package var theta: Double
  package var scaling: Scaling
  /// Number of pairs per head: half the head size.
  package var half: Int
  /// For positions with three axes (M-RoPE), the number of pairs per axis. Nil: all pairs use the first axis.
  package var sections: [Int]?

  /// Reads a config, old (`rope_theta`, `rope_scaling`) or new (`rope_parameters`).
  /// - Parameter standardTheta: default of the model's config class.
  package init(_ json: JSON, headSize: Int, standardTheta: Double = 10_000, path: String) throws {
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
        originalLength: try number("original_max_position_embeddings"))
    default:
      throw VPatchError(
        .refused, path, "has the unknown rotary embedding \"\(type.printable)\"",
        remedy: "known are default, linear, llama3")
    }
  }
}
