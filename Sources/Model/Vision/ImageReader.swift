import Images
import PatchFormat

/// How a vision-language model is shown images: what its files say of pixels and tokens. No model is known yet.
public struct ImageReader: Sendable {
  /// The id that stands, repeated, where an image's features go.
  let token: Int32

  init?(folder: String) throws { return nil }

  func grid(of image: ImageSource) throws -> ImageGrid { ImageGrid(tokens: 1) }
}
