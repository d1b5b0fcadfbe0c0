import Base
import Families

/// The parameters of a vision transformer, by layer.
struct VisionTower: Sendable {
  struct Layer: Sendable {
    let attentionNorm: Norm
    let attention: Linear
    let attentionOutput: Linear
    /// Scales the attention's output (DINOv2).
    let attentionScale: Parameter?
    let middleNorm: Norm
    /// fc1, or gate and up side by side.
    let up: Linear
    let down: Linear
    let downScale: Parameter?

    var parameters: [Parameter] {
      attentionNorm.parameters + attention.parameters + attentionOutput.parameters + middleNorm.parameters
        + up.parameters + down.parameters + [attentionScale, downScale].compactMap(\.self)
    }
    var isTuned: Bool { parameters.contains { $0.tuning != nil } }
  }

  let config: VisionConfig.Tower
  let patches: Linear
  let classToken: Parameter?
  /// [class token and patches of an image of the tower's size, hiddenSize].
  let positions: Parameter?
  /// Before the first layer (CLIP).
  let firstNorm: Norm?
  /// The layers that are used.
  let layers: [Layer]

  /// - Throws: `invalid` if config and tensors do not match.
  init(_ vision: VisionConfig, _ weights: ModelWeights) throws {
    let tower = vision.tower
    config = tower
    let names = Names(tower.family)
    let (hidden, inner) = (tower.hiddenSize, tower.intermediateSize)
    try Self.check(vision, weights)
    func norm(_ name: String) throws -> Norm {
      Norm(
        weight: try weights.require("vision_tower.\(name).weight", [hidden]),
        bias: tower.isGated ? nil : try weights.require("vision_tower.\(name).bias", [hidden]),
        epsilon: tower.normEpsilon)
    }
    let patch =
      [hidden, tower.channels] + (tower.family == .qwen ? [tower.frames] : [])
      + [tower.patchSize, tower.patchSize]
    patches = Linear(
      try weights.require("vision_tower.\(names.patches).weight", patch),
      bias: names.hasPatchBias ? try weights.require("vision_tower.\(names.patches).bias", [hidden]) : nil)
    classToken = try names.classToken.map {
      try weights.require("vision_tower.\($0)", tower.family == .dinov2 ? [1, 1, hidden] : [hidden])
    }
    let places = tower.side * tower.side + (tower.hasClassToken ? 1 : 0)
    positions = try names.positions.map {
      try weights.require("vision_tower.\($0)", tower.family == .dinov2 ? [1, places, hidden] : [places, hidden])
    }
    firstNorm = tower.family == .clip ? try norm("pre_layrnorm") : nil
    layers = try (0..<vision.usedLayers).map { i in
      func linear(_ modules: [String], _ outputs: Int, inputs: Int) throws -> Linear {
        try Linear(
          modules.map { module in
            let name = "vision_tower.layers.\(i).\(module)"
            return (
              try weights.require("\(name).weight", [outputs / modules.count, inputs]),
              try weights.require("\(name).bias", [outputs / modules.count])
            )
          })
      }
      func scale(_ name: String) throws -> Parameter? {
        guard tower.family == .dinov2 else { return nil }
        return try weights.require("vision_tower.layers.\(i).\(name).lambda1", [hidden])
      }
      return Layer(
        attentionNorm: try norm("layers.\(i).\(names.norms.0)"),
        attention: try linear(names.attention, 3 * hidden, inputs: hidden),
        attentionOutput: try linear([names.attentionOutput], hidden, inputs: hidden),
        attentionScale: try scale("layer_scale1"),
        middleNorm: try norm("layers.\(i).\(names.norms.1)"),
        up: try linear(names.up, names.up.count * inner, inputs: hidden),
        down: try linear([names.down], hidden, inputs: inner),
        downScale: try scale("layer_scale2"))
    }
  }

  /// Distinguishes a tower under other names, and more layers than the config has, from a missing tensor.
  private static func check(_ vision: VisionConfig, _ weights: ModelWeights) throws {
    var layers = 0
    var isThere = false
    for parameter in weights.parameters {
      let component = weights.layout.component(of: parameter.name)
      guard component.region == .visionTower else { continue }
      isThere = true
      layers = max(layers, (component.layer ?? -1) + 1)
    }
    guard isThere else {
      throw VPatchError(
        .refused, weights.view.path, "has no vision tower among its tensors, but its config.json declares one",
        remedy: "use a checkpoint with the tower's tensors, as transformers saves it")
    }
    guard layers <= vision.tower.layers else {
      throw VPatchError(
        .invalid, weights.view.path,
        "has \(Format.counted(layers, "layer")) in its vision tower; its config.json has \(vision.tower.layers)",
        remedy: "use the config.json of the same model")
    }
  }

  /// All tensors of the tower that its features depend on.
  var parameters: [Parameter] { embeddingParameters + layers.flatMap(\.parameters) }

  var embeddingParameters: [Parameter] {
    patches.parameters + [classToken, positions].compactMap(\.self) + (firstNorm?.parameters ?? [])
  }

  var isEmbeddingTuned: Bool { embeddingParameters.contains { $0.tuning != nil } }

  /// The first layer with a tuned tensor, −1 for tensors below all layers; nil if none is tuned.
  var lowestTuned: Int? { isEmbeddingTuned ? -1 : layers.firstIndex(where: \.isTuned) }

  /// Module names of each family, below the tower or a layer.
  private struct Names {
    let patches: String
    var hasPatchBias = true
    var classToken: String?
    var positions: String?
    let norms: (String, String)
    /// Queries, keys and values, or one module for all.
    let attention: [String]
    let attentionOutput: String
    var up = ["mlp.fc1"]
    var down = "mlp.fc2"

    init(_ family: VisionConfig.Tower.Family) {
      switch family {
      case .clip, .siglip:
        patches = "embeddings.patch_embedding"
        hasPatchBias = family == .siglip
        classToken = family == .clip ? "embeddings.class_embedding" : nil
        positions = "embeddings.position_embedding.weight"
        norms = ("layer_norm1", "layer_norm2")
        attention = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
        attentionOutput = "self_attn.out_proj"
      case .dinov2:
        patches = "embeddings.patch_embeddings.projection"
        classToken = "embeddings.cls_token"
        positions = "embeddings.position_embeddings"
        norms = ("norm1", "norm2")
        attention = ["query", "key", "value"].map { "attention.attention.\($0)" }
        attentionOutput = "attention.output.dense"
      case .qwen:
        patches = "patch_embed.proj"
        hasPatchBias = false
        norms = ("norm1", "norm2")
        attention = ["attn.qkv"]
        attentionOutput = "attn.proj"
        up = ["mlp.gate_proj", "mlp.up_proj"]
        down = "mlp.down_proj"
      }
    }
  }
}
