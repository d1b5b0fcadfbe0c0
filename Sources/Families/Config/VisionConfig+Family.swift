import Base
import Checkpoints

extension VisionConfig {
  /// Reads the image part of a `config.json`, as written by transformers or by the model's authors.
  /// - Parameters:
  ///   - json: the config of a vision-language model.
  ///   - textHidden: width of its language model.
  ///   - path: the config file, for messages.
  /// - Throws: `invalid` for what is missing or inconsistent; `refused` for a model that vpatch cannot compute.
  package init(_ json: JSON, textHidden: Int, path: String) throws {
    if json["mm_vision_tower"] != nil {
      self = try Self.original(json, textHidden: textHidden, path: path, towers: Tower.known)
      return
    }
    let type = json["model_type"]?.string ?? ""
    guard let read = MultimodalFamily.named(type)?.vision else {
      let known = MultimodalFamily.all.filter { $0.vision != nil }.map(\.modelType)
      throw VPatchError(
        .refused, path, "has the model type \"\(type.printable)\", for which images are not supported",
        remedy: "supported are \(known.joined(separator: ", "))")
    }
    self = try read(Keys(json, path), textHidden)
    try check()
  }
}

extension ModelConfig {
  /// The image part of the config; nil for a model without images.
  /// - Throws: like `init(_:)`.
  package static func vision(_ folder: ModelFolder) throws -> VisionConfig? {
    let config = try ModelConfig(folder)
    guard config.isMultimodal, let json = try folder.json("config.json") else { return nil }
    return try VisionConfig(json, textHidden: config.hiddenSize, path: folder.path(of: "config.json"))
  }
}
