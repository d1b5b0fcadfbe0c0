import Checkpoints

extension ModelConfig {
  /// The image part of the config; nil for a model without images.
  /// - Throws: like `init(_:)`.
  package static func vision(_ folder: ModelFolder) throws -> VisionConfig? {
    let config = try ModelConfig(folder)
    guard config.isMultimodal, let json = try folder.json("config.json") else { return nil }
    return try VisionConfig(json, textHidden: config.hiddenSize, path: folder.path(of: "config.json"))
  }
}
