import Apply
import PatchFormat

/// A language model's layers: which tensor is what.
public struct Decoder: Sendable {
  struct Layer: Sendable {
    let inputNorm: Parameter
    let attention: Linear
    let attentionOutput: Linear
    let middleNorm: Parameter
    let gateUp: Linear
    let down: Linear
  }

  let config: ModelConfig
  let embedding: Parameter
  let layers: [Layer]
  let finalNorm: Parameter
  let head: Linear

  /// - Throws: `invalid` where config and tensors disagree.
  init(_ config: ModelConfig, _ weights: ModelWeights) throws {
    self.config = config
    let (hidden, inner) = (config.hiddenSize, config.intermediateSize)
    try Self.checkLayers(config, weights)
    embedding = try weights.require("language_model.embed_tokens.weight", [config.vocabularySize, hidden])
    layers = try (0..<config.layers).map { i in
      func linear(_ modules: [(name: String, outputs: Int)], inputs: Int) throws -> Linear {
        try Linear(
          modules.map { module in
            let name = "language_model.layers.\(i).\(module.name)"
            return (
              try weights.require("\(name).weight", [module.outputs, inputs]),
              try weights.optional("\(name).bias", [module.outputs])
            )
          })
      }
      func norm(_ name: String) throws -> Parameter {
        try weights.require("language_model.layers.\(i).\(name).weight", [hidden])
      }
      return Layer(
        inputNorm: try norm("input_layernorm"),
        attention: try linear(
          [
            ("self_attn.q_proj", config.queryWidth), ("self_attn.k_proj", config.keyValueWidth),
            ("self_attn.v_proj", config.keyValueWidth),
          ], inputs: hidden),
        attentionOutput: try linear([("self_attn.o_proj", hidden)], inputs: config.queryWidth),
        middleNorm: try norm("post_attention_layernorm"),
        gateUp: try linear([("mlp.gate_proj", inner), ("mlp.up_proj", inner)], inputs: hidden),
        down: try linear([("mlp.down_proj", hidden)], inputs: inner))
    }
    finalNorm = try weights.require("language_model.norm.weight", [hidden])
    if config.isTied || config.isTiedWithoutHead && !weights.has("lm_head.weight") {
      head = Linear(embedding)
    } else {
      head = Linear(try weights.require("lm_head.weight", [config.vocabularySize, hidden]))
    }
  }

  /// Layers that the config does not count would be left out, and nobody would know.
  private static func checkLayers(_ config: ModelConfig, _ weights: ModelWeights) throws {
    for parameter in weights.parameters {
      let component = weights.layout.component(of: parameter.name)
      guard component.region == .decoderLayer, let layer = component.layer, layer >= config.layers else { continue }
      throw VPatchError(
        .invalid, weights.view.path,
        "has \"\(parameter.name.printable)\"; its config.json calls for \(Format.counted(config.layers, "layer")), from 0 on",
        remedy: "are config.json and the weights of the same model?")
    }
  }

  /// The first layer with a tuned tensor.
  var lowestTuned: Int? { layers.firstIndex(where: \.isTuned) }
}

extension Decoder {
  var parameters: [Parameter] { [embedding, finalNorm] + head.parameters + layers.flatMap(\.parameters) }
}

extension Decoder.Layer {
  var parameters: [Parameter] {
    [inputNorm, middleNorm] + [attention, attentionOutput, gateUp, down].flatMap(\.parameters)
  }

  var isTuned: Bool { isAttentionTuned || middleNorm.tuning != nil || gateUp.isTuned || down.isTuned }

  /// Whether anything before the attention's residual is.
  var isAttentionTuned: Bool { inputNorm.tuning != nil || attention.isTuned || attentionOutput.isTuned }
}
