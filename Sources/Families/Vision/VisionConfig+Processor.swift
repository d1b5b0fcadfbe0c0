import Base
import Images

extension VisionConfig {
  /// Checks that an image processor fits the model.
  /// - Throws: `invalid` for a processor of another model: its images would have the wrong size, or their patches the
  ///   wrong order, which would otherwise go unnoticed.
  package func check(_ processor: ImageProcessor) throws {
    func require(_ isRight: Bool, _ takes: String, _ makes: String) throws {
      guard !isRight else { return }
      throw VPatchError(
        .invalid, path, "needs \(takes), but the preprocessor_config.json beside it produces \(makes)",
        remedy: "use the original preprocessor_config.json of the model")
    }
    switch (processor.layout, packing, projector) {
    case (.patches(let rules), _, .merger(let side)):
      func words(_ patch: Int, _ frames: Int, _ merge: Int) -> String {
        "patches of \(frames)×\(patch)×\(patch), merged \(merge) × \(merge)"
      }
      try require(
        rules.patch == tower.patchSize && rules.temporal == tower.frames && rules.merge == side,
        words(tower.patchSize, tower.frames, side), words(rules.patch, rules.temporal, rules.merge))
    case (.tiles, .tiles, _), (.single, .plain, .mlp), (.single, .plain, .linear):
      // DINOv2's position embeddings are interpolated to images of any size.
      guard let side = processor.tileSide, tower.family != .dinov2 || packing != .plain else { return }
      try require(
        side == tower.imageSize, "images of \(tower.imageSize) × \(tower.imageSize)", "some of \(side) × \(side)")
    default: try require(false, expected, processor.kind)
    }
  }

  /// The kind of input that the model expects for an image.
  package var expected: String {
    if case .merger = projector { return "patches" }
    return packing == .plain ? "one picture" : "tiles"
  }
}

extension ImageProcessor {
  fileprivate var kind: String {
    switch layout {
    case .patches: "patches"
    case .tiles: "tiles"
    case .single: "one picture of an image"
    }
  }
}
