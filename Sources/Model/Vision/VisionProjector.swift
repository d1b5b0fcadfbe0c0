import Families

/// The projector from a tower's features to the language model: its parameters.
struct VisionProjector: Sendable {
  /// Applied to single features, before a square of them is merged into one row (Qwen2.5-VL).
  let norm: Norm?
  let first: Linear
  let activation: Activation?
  /// Nil for a projector with one matrix.
  let second: Linear?
  /// Features per row.
  let merged: Int

  /// - Throws: `invalid` if config and tensors do not match.
  init(_ config: VisionConfig, _ weights: ModelWeights) throws {
    func linear(_ name: String, _ outputs: Int, _ inputs: Int, hasBias: Bool) throws -> Linear {
      Linear(
        try weights.require("\(name).weight", [outputs, inputs]),
        bias: hasBias ? try weights.require("\(name).bias", [outputs]) : nil)
    }
    let (width, text) = (config.featureWidth, config.textHidden)
    switch config.projector {
    case .mlp(let activation, let hasBias):
      let root = "multi_modal_projector"
      (norm, self.activation, merged) = (nil, activation, 1)
      first = try linear("\(root).linear_1", text, width, hasBias: hasBias)
      second = try linear("\(root).linear_2", text, text, hasBias: hasBias)
    case .linear(let hasBias):
      (norm, activation, merged) = (nil, nil, 1)
      first = try linear("multi_modal_projector", text, width, hasBias: hasBias)
      second = nil
    case .merger(let side):
      norm = Norm(weight: try weights.require("visual.merger.ln_q.weight", [width]), bias: nil, epsilon: 1e-6)
      (activation, merged) = (.gelu, side * side)
      first = try linear("visual.merger.mlp.0", side * side * width, side * side * width, hasBias: true)
      second = try linear("visual.merger.mlp.2", text, side * side * width, hasBias: true)
    }
  }

  var parameters: [Parameter] { (norm?.parameters ?? []) + first.parameters + (second?.parameters ?? []) }
  var isTuned: Bool { parameters.contains { $0.tuning != nil } }
}
