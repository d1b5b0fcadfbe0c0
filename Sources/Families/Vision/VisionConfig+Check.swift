import Base

extension VisionConfig {
  /// Checks the consistency of the tower and the packing.
  package func check() throws {
    guard tower.channels == 3 else {
      throw VPatchError(
        .refused, path, "has a vision tower for images with \(Format.counted(tower.channels, "channel")), not three",
        remedy: "only RGB images are supported")
    }
    func wrong(_ what: String) -> VPatchError { Keys(.null, path).wrong(what) }
    let sizes = "hidden size \(tower.hiddenSize) and \(tower.heads) heads"
    guard tower.hiddenSize % tower.heads == 0 else {
      throw wrong("a vision tower of \(sizes), which do not divide evenly")
    }
    guard tower.family != .qwen || tower.headSize % 4 == 0 else {
      throw wrong("a vision tower of \(sizes): a head's size has to be a multiple of 4")
    }
    guard tower.family == .qwen || tower.side > 0 else {
      throw wrong("patches of \(tower.patchSize) pixels in images of \(tower.imageSize)")
    }
    if case .tiles = packing, dropsFirst != tower.hasClassToken {
      throw VPatchError(
        .refused, path, "would combine tiles with one token too many or too few in each",
        remedy: "vision_feature_select_strategy is \"default\" for towers with a class token, \"full\" for others")
    }
  }
}
