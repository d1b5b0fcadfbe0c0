import Base

/// Positions as angles by which pairs of numbers are turned (Su et al., arXiv 2104.09864).
package struct RotaryEmbedding: Equatable, Sendable {
  /// How a model was stretched to longer texts than it was first trained on.
  package enum Scaling: Equatable, Sendable {
    case none
    /// All positions divided (Chen et al., arXiv 2306.15595).
    case linear(factor: Double)
    /// Llama 3.1's: low frequencies divided, high ones kept, those between blended.
    case llama3(factor: Double, low: Double, high: Double, originalLength: Double)
  }

  package var theta: Double
  package var scaling: Scaling
  /// Half of a head's size: how many pairs a head has.
  package var half: Int
  /// Where positions have three axes (M-RoPE): how many pairs follow each. Nil: all follow the first.
  package var sections: [Int]?

  /// From a config, old (`rope_theta`, `rope_scaling`) or new (`rope_parameters`).
  /// - Parameter standardTheta: of the model's config class.
  package init(_ json: JSON, headSize: Int, standardTheta: Double = 10_000, path: String) throws {
    let found = [json["rope_scaling"], json["rope_parameters"]].compactMap(\.self).filter {
      $0.object?.isEmpty == false
    }
    guard found.count < 2 || found[0].canonical() == found[1].canonical() else {
      throw VPatchError(
        .invalid, path, "has a rope_scaling and other rope_parameters", remedy: "leave in it those that are meant")
    }
    let parameters = found.first
    if let nested = parameters?.object?.first(where: { $0.value.object != nil }) {
      throw VPatchError(
        .refused, path,
        "has a rotary embedding for each kind of layer (\"\(nested.key.printable)\"), which is not known here",
        remedy: "write rope_parameters without kinds, where the model has one")
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
      throw VPatchError(.refused, path, "turns only a part of each head, which is not known here")
    }
    if let list = parameters?["mrope_section"] {
      guard let sections = list.array?.compactMap(\.int), sections.count == 3,
        sections.allSatisfy((0...half).contains), sections.reduce(0, +) == half
      else { throw VPatchError(.invalid, path, "has a \"mrope_section\" that is not three numbers of \(half) in all") }
      self.sections = sections
    }
    let type = parameters?["rope_type"]?.string ?? parameters?["type"]?.string ?? "default"
    switch type {
    case "default": scaling = .none
    // As Qwen2-VL's first configs have it; newer ones say "default" with sections.
    case "mrope" where sections != nil: scaling = .none
    case "linear": scaling = .linear(factor: try number("factor"))
    case "llama3":
      scaling = .llama3(
        factor: try number("factor"), low: try number("low_freq_factor"), high: try number("high_freq_factor"),
        originalLength: try number("original_max_position_embeddings"))
    default:
      throw VPatchError(
        .refused, path, "has the rotary embedding \"\(type.printable)\", which is not known",
        remedy: "known are default, linear, llama3")
    }
  }
}
