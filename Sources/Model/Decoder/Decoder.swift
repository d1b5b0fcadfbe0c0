import Base
import Families

/// The parameters of a language model's decoder, by layer.
struct Decoder: Sendable {
  struct Layer: Sendable {
    let kind: LayerKind
    /// Before attention; nil for none.
    let inputNorm: Norm?
    let attention: Linear
    /// Of queries and of keys, before they are rotated; nil for none.
    let queryNorm: Norm?
    let keyNorm: Norm?
    let attentionOutput: Linear
    /// Behind attention, before the residual is added; nil for none.
    let attentionNorm: Norm?
    /// Before the MLP; nil for none.
    let middleNorm: Norm?
    let gateUp: Linear
    let down: Linear
    /// Behind the MLP, before the residual is added; nil for none.
    let mlpNorm: Norm?
  }

  let config: ModelConfig
  let embedding: Parameter
  let layers: [Layer]
  let finalNorm: Norm
  let head: Linear
  /// A head that the checkpoint stores although it is tied to the embedding, with the same values.
  let tiedHead: Parameter?

  /// - Throws: `invalid` if config and tensors do not match.
  init(_ config: ModelConfig, _ weights: ModelWeights) throws {
    self.config = config
    let (hidden, inner) = (config.hiddenSize, config.intermediateSize)
    try Self.checkLayers(config, weights)
    let parts = config.parts
    func norm(_ name: String, width: Int? = nil) throws -> Norm {
      Norm(
        weight: try weights.require("language_model.\(name).weight", [width ?? hidden]), epsilon: config.normEpsilon,
        offset: parts.normOffset)
    }
    embedding = try weights.require("language_model.embed_tokens.weight", [config.vocabularySize, hidden])
    layers = try (0..<config.layers).map { i in
      func linear(_ modules: [(name: String, outputs: Int)], inputs: Int, hasBias: Bool) throws -> Linear {
        try Linear(
          modules.map { module in
            let name = "language_model.layers.\(i).\(module.name)"
            return (
              try weights.require("\(name).weight", [module.outputs, inputs]),
              hasBias ? try weights.require("\(name).bias", [module.outputs]) : nil
            )
          })
      }
      func layerNorm(_ name: String, isThere: Bool, width: Int? = nil) throws -> Norm? {
        isThere ? try norm("layers.\(i).\(name)", width: width) : nil
      }
      let (isBefore, isBehind) = (parts.norms != .after, parts.norms != .before)
      let widths: (queries: Int, keys: Int) =
        parts.queryKeyNorm == .whole ? (config.queryWidth, config.keyValueWidth) : (config.headSize, config.headSize)
      let isNormed = parts.queryKeyNorm != .none
      return Layer(
        kind: config.layerKinds[i],
        inputNorm: try layerNorm("input_layernorm", isThere: isBefore),
        attention: try linear(
          parts.isFused
            ? [("self_attn.qkv_proj", config.attentionWidth)]
            : [
              ("self_attn.q_proj", config.queryWidth), ("self_attn.k_proj", config.keyValueWidth),
              ("self_attn.v_proj", config.keyValueWidth),
            ], inputs: hidden, hasBias: config.biases.queries),
        queryNorm: try layerNorm("self_attn.q_norm", isThere: isNormed, width: widths.queries),
        keyNorm: try layerNorm("self_attn.k_norm", isThere: isNormed, width: widths.keys),
        attentionOutput: try linear(
          [("self_attn.o_proj", hidden)], inputs: config.queryWidth, hasBias: config.biases.attentionOutput),
        attentionNorm: try layerNorm("post_attention_layernorm", isThere: isBehind),
        // LLaMA's name for the norm between attention and MLP is that of a norm behind attention elsewhere.
        middleNorm: try layerNorm(
          parts.norms == .both ? "pre_feedforward_layernorm" : "post_attention_layernorm", isThere: isBefore),
        gateUp: try linear(
          parts.isFused
            ? [("mlp.gate_up_proj", 2 * inner)] : [("mlp.gate_proj", inner), ("mlp.up_proj", inner)], inputs: hidden,
          hasBias: config.biases.mlp),
        down: try linear([("mlp.down_proj", hidden)], inputs: inner, hasBias: config.biases.mlp),
        mlpNorm: try layerNorm("post_feedforward_layernorm", isThere: isBehind))
    }
    finalNorm = try norm("norm")
    let own =
      config.isTied && !weights.has("lm_head.weight")
      ? nil : try weights.require("lm_head.weight", [config.vocabularySize, hidden])
    // As in transformers 5: a stored head takes precedence over the config's tying.
    if let own, !(config.isTied && own.hasSameValues(as: embedding)) {
      (head, tiedHead) = (Linear(own), nil)
    } else {
      (head, tiedHead) = (Linear(embedding), own)
    }
  }

  /// Checks for layers beyond the config's number, which would otherwise be ignored silently.
  private static func checkLayers(_ config: ModelConfig, _ weights: ModelWeights) throws {
    for parameter in weights.parameters {
      let component = weights.layout.component(of: parameter.name)
      guard component.region == .decoderLayer, let layer = component.layer, layer >= config.layers else { continue }
      throw VPatchError(
        .invalid, weights.view.path,
        "has \"\(parameter.name.printable)\"; its config.json has \(Format.counted(config.layers, "layer")), from 0",
        remedy: "use the config.json of the same model")
    }
  }

  /// A warning if the computation deviates from the config.
  var warning: String? {
    guard config.isTied, let own = head.parameters.first, own.name != embedding.name else { return nil }
    return "config.json ties the head to the embedding (tie_word_embeddings), but \"\(own.name.printable)\" is stored "
      + "with other values: the stored head is used, as in transformers; set tie_word_embeddings to false"
  }

  /// The first layer with a tuned tensor.
  var lowestTuned: Int? { layers.firstIndex(where: \.isTuned) }
}

extension Decoder {
  var parameters: [Parameter] { [embedding] + finalNorm.parameters + head.parameters + layers.flatMap(\.parameters) }
}

extension Decoder.Layer {
  private var attentionNorms: [Norm] { [inputNorm, queryNorm, keyNorm, attentionNorm].compactMap(\.self) }
  private var mlpNorms: [Norm] { [middleNorm, mlpNorm].compactMap(\.self) }

  var parameters: [Parameter] {
    (attentionNorms + mlpNorms).flatMap(\.parameters)
      + [attention, attentionOutput, gateUp, down].flatMap(\.parameters)
  }

  var isTuned: Bool { isAttentionTuned || mlpNorms.contains(where: \.isTuned) || gateUp.isTuned || down.isTuned }

  /// Whether any tensor before the attention's residual is tuned.
  var isAttentionTuned: Bool {
    attentionNorms.contains(where: \.isTuned) || attention.isTuned || attentionOutput.isTuned
  }
}
