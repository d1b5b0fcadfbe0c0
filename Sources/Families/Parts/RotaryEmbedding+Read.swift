import Base
import Glibc

extension RotaryEmbedding {
  /// Reads a config, old (`rope_theta`, `rope_scaling`) or new (`rope_parameters`).
  /// - Parameters:
  ///   - standardTheta: default of the model's config class.
  ///   - maximumLength: of the model's texts.
  package init(
    _ json: JSON, headSize: Int, standardTheta: Double = 10_000, maximumLength: Int,
    _ rules: RotaryRules = RotaryRules(), path: String
  ) throws {
    let members = try Members(json, rules, maximumLength: maximumLength, path)
    let parameters = members.parameters
    theta = parameters?["rope_theta"]?.double ?? json["rope_theta"]?.double ?? standardTheta
    guard theta.isFinite, theta > 0 else { throw VPatchError(.invalid, path, "has no usable \"rope_theta\"") }
    half = try members.rotatedNumbers(headSize) / 2
    if let list = parameters?["mrope_section"] {
      let half = half
      guard let sections = list.array?.compactMap(\.int), sections.count == 3,
        sections.allSatisfy((0...half).contains), sections.reduce(0, +) == half
      else { throw VPatchError(.invalid, path, "has a \"mrope_section\" that is not three numbers of sum \(half)") }
      self.sections = sections
    }
    let given = parameters?["rope_type"]?.string ?? parameters?["type"]?.string ?? "default"
    let type = rules.renamed[given] ?? given
    let known = rules.known ?? ["default", "linear", "dynamic", "llama3", "yarn", "longrope"]
    // For Qwen2-VL's first configs; newer ones have "default" with sections.
    guard known.contains(type) || type == "mrope" && sections != nil else {
      throw VPatchError(
        .refused, path, "has the unknown rotary embedding \"\(given.printable)\"",
        remedy: "known are \(known.sorted().joined(separator: ", "))")
    }
    switch type {
    case "linear": scaling = .linear(factor: try members.number("factor"))
    case "dynamic":
      guard half > 1 else { throw VPatchError(.invalid, path, "has a head too small for dynamic scaling") }
      scaling = .dynamic(factor: try members.number("factor"), maximumLength: Double(maximumLength))
    case "llama3":
      scaling = .llama3(
        factor: try members.number("factor"), low: try members.number("low_freq_factor"),
        high: try members.number("high_freq_factor"), originalLength: try members.originalLength())
    case "yarn": scaling = .yarn(try members.yarn())
    case "longrope": scaling = .longrope(try members.longrope(pairs: half))
    default: scaling = .none
    }
  }
}

/// The members of a config that say how positions are rotated (transformers 5.24, modeling_rope_utils.py).
private struct Members {
  let parameters: JSON?
  private let config: JSON
  private let rules: RotaryRules
  private let maximumLength: Int
  private let path: String

  init(_ config: JSON, _ rules: RotaryRules, maximumLength: Int, _ path: String) throws {
    let found = [config["rope_scaling"], config["rope_parameters"]].compactMap(\.self).filter {
      $0.object?.isEmpty == false
    }
    guard found.count < 2 || found[0].canonical() == found[1].canonical() else {
      throw VPatchError(
        .invalid, path, "has different rope_scaling and rope_parameters", remedy: "remove the wrong one")
    }
    parameters = found.first
    if let nested = parameters?.object?.first(where: { $0.value.object != nil }) {
      throw VPatchError(
        .refused, path,
        "has a rotary embedding per layer type (\"\(nested.key.printable)\"), which is not supported",
        remedy: "if all layers use the same one, write rope_parameters without layer types")
    }
    (self.config, self.rules, self.maximumLength, self.path) = (config, rules, maximumLength, path)
  }

  func number(_ key: String) throws -> Double {
    guard let value = parameters?[key]?.double, value.isFinite, value > 0 else {
      throw VPatchError(.invalid, path, "has no usable \"\(key)\" for its rotary embedding")
    }
    return value
  }

  private func optional(_ key: String) throws -> Double? {
    guard let value = parameters?[key], value != .null else { return nil }
    return try number(key)
  }

  /// A member beside the rotary embedding's has precedence.
  func originalLength() throws -> Double {
    let key = "original_max_position_embeddings"
    if let value = config[key], value != .null {
      guard let length = value.double, length >= 1, length.isFinite else {
        throw VPatchError(.invalid, path, "has no usable \"\(key)\"")
      }
      return length
    }
    if let standard = rules.originalLength { return Double(standard) }
    return try optional(key) ?? Double(maximumLength)
  }

  /// How many numbers of a head are rotated.
  func rotatedNumbers(_ headSize: Int) throws -> Int {
    let key = "partial_rotary_factor"
    // As transformers has it: a value inside has precedence.
    guard let value = parameters?[key] ?? config[key], value != .null else { return headSize }
    guard let share = value.double, share > 0, share <= 1 else {
      throw VPatchError(.invalid, path, "has a \"\(key)\" that is not between 0 and 1")
    }
    guard share < 1 else { return headSize }
    guard rules.canBePartial else {
      throw VPatchError(.refused, path, "has a \(key) other than 1, which is not supported in this family")
    }
    let rotated = Int(Double(headSize) * share)
    guard rotated > 0, rotated % 2 == 0 else {
      throw VPatchError(
        .invalid, path,
        "has a \"\(key)\" by which \(rotated) of \(headSize) numbers are rotated: pairs need an even number"
      )
    }
    return rotated
  }

  /// As _compute_yarn_parameters reads it.
  func yarn() throws -> RotaryEmbedding.YaRN {
    let originalLength = try originalLength()
    let factor = try optional("factor") ?? Double(maximumLength) / originalLength
    func scale(_ weight: Double) -> Double { factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1 }
    let (mscale, all) = (try optional("mscale"), try optional("mscale_all_dim"))
    let standard = if let mscale, let all { scale(mscale) / scale(all) } else { scale(1) }
    return RotaryEmbedding.YaRN(
      factor: factor, originalLength: originalLength, fast: try optional("beta_fast") ?? 32,
      slow: try optional("beta_slow") ?? 1, isTruncated: parameters?["truncate"]?.bool ?? true,
      attentionFactor: try optional("attention_factor") ?? standard)
  }

  /// As _compute_longrope_parameters reads it.
  func longrope(pairs: Int) throws -> RotaryEmbedding.LongRoPE {
    func divisors(_ key: String) throws -> [Double] {
      guard let list = parameters?[key]?.array?.map(\.double), list.count == pairs,
        list.allSatisfy({ ($0 ?? 0) > 0 && $0!.isFinite })
      else {
        throw VPatchError(
          .invalid, path, "has a \"\(key)\" that is not a list of \(pairs) positive numbers, one for each rotated pair",
          remedy: "use the original config.json of the model")
      }
      return list.compactMap(\.self)
    }
    let originalLength = try originalLength()
    let factor = try optional("factor") ?? Double(maximumLength) / originalLength
    guard originalLength > 1 else { throw VPatchError(.invalid, path, "has an original length of 1") }
    let standard = factor <= 1 ? 1 : (1 + log(factor) / log(originalLength)).squareRoot()
    return RotaryEmbedding.LongRoPE(
      short: try divisors("short_factor"), long: try divisors("long_factor"), originalLength: originalLength,
      attentionFactor: try optional("attention_factor") ?? standard)
  }
}
