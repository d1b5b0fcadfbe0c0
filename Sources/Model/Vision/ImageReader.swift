import Base
import Checkpoints
import Families
import Images
import Text

/// Image preprocessing and image tokens of a vision-language model, from its files. No weights.
package struct ImageReader: ImagePrompting {
  let config: VisionConfig
  let processor: ImageProcessor
  /// Digest of everything that pixels depend on besides the image.
  let processing: ContentDigest
  package let mark: String

  /// - Returns: nil for a model that takes no images.
  /// - Throws: `invalid` for missing or inconsistent files, `refused` for an unsupported model.
  package init?(_ folder: ModelFolder) throws {
    guard let config = try ModelConfig.vision(folder) else { return nil }
    let processor = try config.standardProcessor ?? ImageProcessor(folder)
    try config.check(processor)
    try self.init(config, processor)
  }

  init(_ config: VisionConfig, _ processor: ImageProcessor) throws {
    self.config = config
    self.processor = processor
    // Preprocessing may change between versions.
    processing = SHA256Hasher.hash("\(vpatchVersion) \(processor)")
    mark = if case .merger = config.projector { "<|image_pad|>" } else { "<image>" }
  }

  package var token: Int32 { config.imageToken }

  /// Decodes the image as well, so that a damaged file is found before a long run.
  package func source(path: String) throws -> ImageSource {
    let file = try ImageFile(path: path)
    _ = try file.decode()
    return file.source
  }

  package func tokens(for image: ImageSource, among count: Int) throws -> Int {
    try config.tokens(plan(image, among: count))
  }

  /// - Parameter count: number of images in its row.
  func plan(_ image: ImageSource, among count: Int) throws -> ImagePlan { try processor.plan(image, images: count) }

  /// Layout of the image's tokens.
  func grid(_ plan: ImagePlan) throws -> ImageGrid {
    ImageGrid(tokens: try config.tokens(plan), columns: try config.grid(plan)?.columns)
  }

  /// - Throws: `mismatch` if the file has changed since it was checked; otherwise the error of the file.
  func pixels(_ image: ImageSource, among count: Int) throws -> PixelValues {
    try processor.process(ImageFile.decode(image), images: count, name: image.path)
  }
}
