import Base
import Checkpoints

extension ModelConfig {
  /// What the config says of images; nil for a model that takes none.
  /// - Throws: as `init(_:)`.
  package static func vision(_ folder: ModelFolder) throws -> VisionConfig? {
    let config = try ModelConfig(folder)
    guard config.isMultimodal, let json = try folder.json("config.json") else { return nil }
    return try VisionConfig(json, textHidden: config.hiddenSize, path: folder.path(of: "config.json"))
  }
}
