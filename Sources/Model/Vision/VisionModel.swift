import Families

/// The vision part of a model: tower, projector, and the newline feature of tiled images.
struct VisionModel: Sendable {
  let config: VisionConfig
  let tower: VisionTower
  let projector: VisionProjector
  /// `image_newline`, of models that split images into tiles.
  let newline: Parameter?

  /// - Throws: `invalid` if config and tensors do not match; `refused` if the tower's tensors are missing.
  init(_ config: VisionConfig, _ weights: ModelWeights) throws {
    self.config = config
    tower = try VisionTower(config, weights)
    projector = try VisionProjector(config, weights)
    newline =
      config.packing == .plain ? nil : try weights.require("language_model.image_newline", [config.textHidden])
  }

  /// The tensors that token rows depend on. Others of the tower get no gradient: layers above the one that is used, its
  /// last norm, its head.
  var parameters: [Parameter] {
    tower.parameters + projector.parameters + [newline].compactMap(\.self)
  }

  /// Whether any tensor that token rows depend on is tuned.
  var isTuned: Bool { parameters.contains { $0.tuning != nil } }

  /// Whether any tensor below the projector is tuned: features then have to be recomputed in each step.
  var isTowerTuned: Bool { tower.lowestTuned != nil }
}
