import Base

/// One row of a data file, before tokenization.
struct Row: Equatable, Sendable {
  enum Content: Equatable, Sendable {
    case conversation(Conversation)
    case completion(prompt: [Message.Part], completion: String)
    case text([Message.Part])
    /// Without labels, every token counts in the loss.
    case ids([Int], labels: [Int]?, images: [String])
  }

  let content: Content
  /// Whether the row is to be trained on.
  let isLearned: Bool
  /// Members that are not used, without repetition: "id", "messages[].name".
  private(set) var unread: [String]

  private static let forms =
    "\"messages\", \"conversations\", \"prompt\" with \"completion\", \"instruction\" with \"output\", \"text\", or "
    + "\"input_ids\""

  /// - Throws: `RowError`.
  init(_ line: [UInt8]) throws {
    do { try self.init(JSON.parse(line)) } catch let error as JSONError {
      throw RowError("is not JSON (\(error.reason))")
    }
  }

  init(_ json: JSON) throws {
    guard let object = json.object else { throw RowError("is not an object") }
    let row = RowReader(row: object)
    try row.refuse(["chosen", "rejected"], "which marks preference data: that is not supported")
    // A row may have unused members, but must have only one of these forms.
    let found = [
      row.has("messages") ? "messages" : nil, row.has("conversations") ? "conversations" : nil,
      row.has("prompt") && row.has("completion") ? "prompt/completion" : nil,
      row.has("instruction") && row.has("output") ? "instruction/output" : nil,
      row.has("text") ? "text" : nil, row.has("input_ids") ? "input_ids" : nil,
    ].compactMap(\.self)
    // Alpaca's files also have the two as one text.
    let isAlpaca = found == ["instruction/output", "text"]
    guard found.count <= 1 || isAlpaca else {
      throw RowError("has several forms at once: \(found.joined(separator: ", "))")
    }
    switch found.first {
    case "messages": content = .conversation(try RowContent.conversation("messages", row))
    case "conversations": content = .conversation(try RowContent.conversation("conversations", row))
    case "prompt/completion": content = try RowContent.completion(row)
    case "instruction/output": content = .conversation(try RowContent.instruction(row))
    case "text":
      content = .text(try RowContent.parts(row, text: "text"))
      try row.refuseForText()
    case "input_ids":
      content = try RowContent.ids(row)
      try row.refuseForText()
    default:
      for (one, other) in [("prompt", "completion"), ("completion", "prompt"), ("instruction", "output")]
      where row.has(one) {
        throw RowError("has \(one == "instruction" ? "an" : "a") \"\(one)\" but no \"\(other)\"")
      }
      throw RowError("has none of \(Self.forms)")
    }
    isLearned = try row.isLearned()?.value ?? true
    unread = row.unused
  }

  /// The images as the row names them, in order.
  var images: [String] {
    switch content {
    case .conversation(let conversation): conversation.images
    case .completion(let parts, _), .text(let parts): parts.images
    case .ids(_, _, let images): images
    }
  }
}

extension ObjectReader where Failure == RowError {
  /// Members that only a chat template can render must not be in a row of text.
  func refuseForText() throws(RowError) {
    try refuse(
      ["system", "tools", "documents", "chat_template_kwargs"],
      "which only conversations can have: write the row with \"messages\"")
  }
}
