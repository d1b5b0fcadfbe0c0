import Images

/// How a model is shown an image among text.
package protocol ImagePrompting: Sendable {
  /// The text that stands for one image in chat templates and prompts, such as "<image>" or "<|image_pad|>".
  var mark: String { get }

  /// The id that stands, repeated, where the image's tokens go. May be outside the vocabulary (-200 in the original LLaVA
  /// layout, whose tokenizer has no such token).
  var token: Int32 { get }

  /// Looks at an image file (header, digest, limits): an error names what is wrong with it.
  func source(path: String) throws -> ImageSource

  /// How many tokens an image takes.
  /// - Parameter count: images of the row that it is in: some models look less closely at one of several.
  func tokens(for image: ImageSource, among count: Int) throws -> Int
}

/// The text that stands for an image.
enum ImageMark {
  /// What rows write, whatever the model's own mark is.
  static let ofRows = "<image>"

  /// A mark as a prompt has it. Qwen's models see it between two tokens of their own.
  static func shown(_ mark: String) -> [Segment] {
    guard mark == "<|image_pad|>" else { return [Segment(mark: mark)] }
    return [
      Segment("<|vision_start|>", isAnswer: false), Segment(mark: mark), Segment("<|vision_end|>", isAnswer: false),
    ]
  }

  /// A mark in a message of a template that knows of text alone. LLaVA's models see a line feed behind it.
  static func inMessage(_ mark: String) -> String {
    let shown = shown(mark)
    return shown.text + (shown.count == 1 ? "\n" : "")
  }
}
