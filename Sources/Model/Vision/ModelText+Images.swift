import Checkpoints
import Text

extension ModelText {
  /// The tokenizer and the chat template of a model's folder, and how that model is shown images.
  /// - Parameter chatTemplate: which one, and what it is told; the model's own, where nothing is said.
  /// - Throws: `refused` for a name that is none, or a config that is not known; `invalid` where files that a
  ///   vision-language model has are missing.
  package init(model folder: ModelFolder, chatTemplate: ChatTemplate.Options = .init()) throws {
    try self.init(folder, chatTemplate: chatTemplate, images: ImageReader(folder))
  }
}
