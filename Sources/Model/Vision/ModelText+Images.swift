import Checkpoints
import Text

extension ModelText {
  /// Tokenizer and chat template of a model's folder, and its image preprocessing.
  /// - Parameter chatTemplate: template and its arguments; by default the model's own.
  /// - Throws: `refused` for an unknown template name or an unsupported config; `invalid` if files of a vision-language
  ///   model are missing.
  package init(model folder: ModelFolder, chatTemplate: ChatTemplate.Options = .init()) throws {
    try self.init(folder, chatTemplate: chatTemplate, images: ImageReader(folder))
  }
}
