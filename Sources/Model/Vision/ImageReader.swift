import Base
import Checkpoints
import Families
import Images
import Text

/// How a vision-language model is shown images: what its files say of pixels and of tokens. No weights.
package struct ImageReader: ImagePrompting {
  let config: VisionConfig
  let processor: ImageProcessor
  /// Of all that pixels depend on besides the image.
  let processing: ContentDigest
  package let mark: String

  /// - Returns: nil for a model that takes no images.
  /// - Throws: `invalid` for files that are missing or contradict each other, `refused` for what is not known.
  package init?(_ folder: ModelFolder) throws {
    guard let config = try ModelConfig.vision(folder) else { return nil }
    let processor = try config.standardProcessor ?? ImageProcessor(folder)
    try config.check(processor)
    try self.init(config, processor)
  }

  init(_ config: VisionConfig, _ processor: ImageProcessor) throws {
    self.config = config
    self.processor = processor
    // How pixels are made may change from version to version.
    processing = SHA256Hasher.hash("\(vpatchVersion) \(processor)")
    mark = if case .merger = config.projector { "<|image_pad|>" } else { "<image>" }
  }

  package var token: Int32 { config.imageToken }

  /// Decodes it, too: what is damaged behind the header shall be found before a long run, and not in its middle.
  package func source(path: String) throws -> ImageSource {
    let file = try ImageFile(path: path)
    _ = try file.decode()
    return file.source
  }

  package func tokens(for image: ImageSource, among count: Int) throws -> Int {
    try config.tokens(plan(image, among: count))
  }

  /// - Parameter count: images of the row that it is in.
  func plan(_ image: ImageSource, among count: Int) throws -> ImagePlan { try processor.plan(image, images: count) }

  /// Where its tokens are.
  func grid(_ plan: ImagePlan) throws -> ImageGrid {
    ImageGrid(tokens: try config.tokens(plan), columns: try config.grid(plan)?.columns)
  }

  /// - Throws: `mismatch` where the file is another than was looked at, or what is wrong with it.
  func pixels(_ image: ImageSource, among count: Int) throws -> PixelValues {
    try processor.process(ImageFile.decode(image), images: count, name: image.path)
  }
}
