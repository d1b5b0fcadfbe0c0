import Families

/// The part of a model that sees: its tower, its projector, and what ends a row of tiles.
struct VisionModel: Sendable {
  let config: VisionConfig
  let tower: VisionTower
  let projector: VisionProjector
  /// `image_newline`, of models that read images in tiles.
  let newline: Parameter?

  /// - Throws: `invalid` where config and tensors disagree; `refused` where the tower is not among the tensors.
  init(_ config: VisionConfig, _ weights: ModelWeights) throws {
    self.config = config
    tower = try VisionTower(config, weights)
    projector = try VisionProjector(config, weights)
    newline =
      config.packing == .plain ? nil : try weights.require("language_model.image_newline", [config.textHidden])
  }

  /// The tensors that rows of tokens depend on. Others of the tower get no gradient: layers above the one that is read,
  /// its last norm, its head.
  var parameters: [Parameter] {
    tower.parameters + projector.parameters + [newline].compactMap(\.self)
  }

  /// Whether any tensor that rows of tokens depend on is being tuned.
  var isTuned: Bool { parameters.contains { $0.tuning != nil } }

  /// Whether one below the projector is: features have to be computed anew in each step.
  var isTowerTuned: Bool { tower.lowestTuned != nil }
}
