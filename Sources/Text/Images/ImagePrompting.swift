import Images

/// How a model takes images among text.
package protocol ImagePrompting: Sendable {
  /// Placeholder of an image in chat templates and prompts, such as "<image>" or "<|image_pad|>".
  var mark: String { get }

  /// The id that is repeated for the image's tokens. May be outside the vocabulary (-200 in LLaVA's original layout,
  /// whose tokenizer has no such token).
  var token: Int32 { get }

  /// Checks an image file (header, digest, limits).
  func source(path: String) throws -> ImageSource

  /// Number of tokens of an image.
  /// - Parameter count: number of images in its row: some models use fewer tokens if there are several.
  func tokens(for image: ImageSource, among count: Int) throws -> Int
}

/// Placeholders of images.
enum ImageMark {
  /// The placeholder in rows, whatever the model's own is.
  static let ofRows = "<image>"

  /// The placeholder in a plain prompt. For Qwen's models, it is between two special tokens.
  static func shown(_ mark: String) -> [Segment] {
    guard mark == "<|image_pad|>" else { return [Segment(mark: mark)] }
    return [
      Segment("<|vision_start|>", isAnswer: false), Segment(mark: mark), Segment("<|vision_end|>", isAnswer: false),
    ]
  }

  /// The placeholder in a message for a template that only handles text. For LLaVA's models, a line feed follows it.
  static func inMessage(_ mark: String) -> String {
    let shown = shown(mark)
    return shown.text + (shown.count == 1 ? "\n" : "")
  }
}
