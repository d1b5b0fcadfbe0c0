import Text

extension ModelText {
  /// The tokenizer and the chat template of a model's folder, and how that model is shown images.
  /// - Parameter chatTemplate: a name of `ChatTemplate.names`; nil for the model's own.
  /// - Throws: `refused` for a name that is none, or a config that is not known; `invalid` where files that a
  ///   vision-language model has are missing.
  public init(model folder: String, chatTemplate: String? = nil) throws {
    try self.init(folder: folder, chatTemplate: chatTemplate, images: ImageReader(folder: folder))
  }
}
