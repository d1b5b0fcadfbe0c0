import Base

/// The content of rows: conversations, prompts, ids.
package enum RowContent {
  /// The conversation of a row; nil if it has none.
  /// - Throws: `RowError`.
  package static func conversation(_ row: JSON) throws -> [Message]? {
    let members = RowReader(row: row.object ?? [])
    for key in ["messages", "conversations"] where members.has(key) {
      return try conversation(key, members).messages
    }
    return nil
  }

  /// A text of a row with the row's images at its placeholders. Without placeholders, the images come first, each
  /// followed by a line feed.
  /// - Throws: `RowError`.
  package static func parts(_ row: JSON, text key: String) throws -> [Message.Part] {
    let members = RowReader(row: row.object ?? [])
    return try parts(members, text: key)
  }

  static func parts(_ row: RowReader, text key: String) throws -> [Message.Part] {
    guard let text = try row.optionalString(key) else { throw RowError("has no \"\(key)\" that is a string") }
    return try parts(text, RowImages(row))
  }

  private static func parts(_ text: String, _ images: RowImages) throws -> [Message.Part] {
    guard !images.listed.isEmpty else { return [.text(text)] }
    let parts = RowPart.split(text, keepingLineFeeds: true)
    guard parts.contains(where: \.isImage) else {
      return images.listed.flatMap { [.image(path: $0), .text("\n")] } + [.text(text)]
    }
    return try images.fill([parts])[0]
  }

  /// A prompt with images, as in a row with these `images`: they are at the placeholders `<image>` of the text, or
  /// before it.
  /// - Parameter isMessage: whether it is a message for a chat template.
  /// - Throws: `refused` if the numbers of placeholders and images differ, or an image is not a file.
  package static func prompt(_ text: String, images: [String], isMessage: Bool) throws -> [Message.Part] {
    guard !images.isEmpty else { return [.text(text)] }
    do {
      let row = RowReader(row: [.init("images", .array(images.map { .string($0) }))])
      let listed = try RowImages(row)
      guard isMessage else { return try parts(text, listed) }
      let isMarked = text.firstRange(of: ImageMark.ofRows) != nil
      let content: [RowPart] =
        isMarked
        ? RowPart.split(text, keepingLineFeeds: false) : images.map { _ in .image(nil, nil) } + [.text(text, nil)]
      return try listed.fill([content])[0]
    } catch let error as RowError {
      throw VPatchError(.refused, nil, "the prompt \(error.reason)")
    }
  }

  /// The images that a row lists, in order, as it names them.
  /// - Throws: `RowError`.
  package static func images(_ row: JSON) throws -> [String] {
    let members = RowReader(row: row.object ?? [])
    return try RowImages(members).listed
  }

  /// A prompt with its completion: texts, or messages (TRL's conversational form). Only the completion's messages count
  /// in the loss.
  static func completion(_ row: RowReader) throws -> Row.Content {
    if case .array = row.optional("prompt") {
      let prompt = try conversation("prompt", row)
      var completion = try conversation("completion", row, isPart: true)
      guard prompt.images.isEmpty || completion.images.isEmpty else {
        throw RowError("has images both in its prompt and in its completion")
      }
      completion.messages = prompt.messages.map { $0.asPrompt } + completion.messages
      return .conversation(completion)
    }
    let prompt = try parts(row, text: "prompt")
    guard let completion = try row.optionalString("completion") else {
      throw RowError("has no \"completion\" that is a string")
    }
    try row.refuseForText()
    return .completion(prompt: prompt, completion: completion)
  }

  /// Alpaca's form: an instruction, an optional input, and the answer.
  static func instruction(_ row: RowReader) throws -> Conversation {
    let asked = [try row.optionalString("instruction"), try row.optionalString("input")].compactMap(\.self).filter {
      !$0.isEmpty
    }
    guard let answer = try row.optionalString("output") else { throw RowError("has no \"output\" that is a string") }
    try row.refuse(["history"], "which is not supported: write the row with \"messages\"")
    let images = try RowImages(row)
    let text = asked.joined(separator: "\n")
    let question = images.listed.isEmpty ? [RowPart.text(text, nil)] : RowPart.split(text, keepingLineFeeds: false)
    let opening = try system(row).map { [Message(.system, $0)] } ?? []
    let messages = try opening + [Message(.user, images.fill([question])[0]), Message(.assistant, answer)]
    return try Conversation(messages, row)
  }

  /// A system message beside the conversation.
  static func system(_ row: RowReader) throws -> String? {
    try row.optionalString("system").flatMap { $0.isEmpty ? nil : $0 }
  }
}
