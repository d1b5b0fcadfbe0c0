import Base

/// Supports Hugging Face's form ("role", "content") and that of ShareGPT and LLaVA ("from", "value").
extension RowContent {
  /// - Parameters:
  ///   - key: the member that lists the messages.
  ///   - isPart: whether the row's other members are read with another list.
  static func conversation(_ key: String, _ row: RowReader, isPart: Bool = false) throws -> Conversation {
    guard let list = try row.optionalList(key) else { throw RowError("has no \"\(key)\" that is a list") }
    guard !list.isEmpty else { throw RowError("has an empty list as its \"\(key)\"") }
    let images = try isPart ? RowImages() : RowImages(row)
    var drafts = try list.enumerated().map { i, json in
      try MessageDraft(json, place: "message \(i + 1)", hasImages: !images.listed.isEmpty || key == "conversations")
    }
    if let system = try Self.system(row), !isPart {
      if drafts[0].role == .system {
        guard drafts[0].text?.isSame(as: system) == true else {
          throw RowError("has a \"system\" and another system message: leave one of them out")
        }
      } else {
        drafts.insert(MessageDraft(system: system), at: 0)
      }
    }
    let parts = try images.fill(drafts.map(\.parts))
    let messages = try zip(drafts, parts).map { try $0.message($1) }
    return try Conversation(messages, row)
  }
}

extension Conversation {
  /// With the row's other members for the template.
  init(_ messages: [Message], _ row: RowReader) throws {
    self.init(messages)
    tools = try Self.objects("tools", row)
    documents = try Self.objects("documents", row)
    if let given = row.optional("chat_template_kwargs") {
      guard let members = given.object else { throw RowError("has a \"chat_template_kwargs\" that is not an object") }
      if let taken = members.first(where: { ChatTemplate.reserved.contains($0.key) }) {
        throw RowError(
          "has a \"chat_template_kwargs\" with \"\(taken.key)\", which is set by the row or by training")
      }
      arguments = members
    }
  }

  /// A list of objects, or its JSON text, as in tables; nil if empty.
  private static func objects(_ key: String, _ row: RowReader) throws -> JSON? {
    guard var value = row.optional(key), value.array != nil || !value.isEmpty else { return nil }
    if let text = value.string {
      guard let parsed = try? JSON.parse(Array(text.utf8)) else {
        throw RowError("has a \"\(key)\" that is a string but not JSON")
      }
      value = parsed
    }
    guard let list = value.array, list.allSatisfy({ $0.object != nil }) else {
      throw RowError("has a \"\(key)\" that is not a list of objects")
    }
    return value
  }
}

extension Message {
  /// The same message as part of the prompt.
  var asPrompt: Message { Message(role, parts, members: members, learning == .never ? .never : .asPrompt) }
}

/// A message before its images are resolved.
struct MessageDraft {
  let role: Message.Role
  let parts: [RowPart]
  /// The content if it is a single text.
  let text: String?
  private let members: [JSON.Member]
  private let isLearned: Bool
  private let place: String

  init(system: String) {
    (role, text, place, isLearned) = (.system, system, "the system message", true)
    parts = [.text(system, nil)]
    members = [.init("role", .string(role.rawValue)), .init("content", .string(system))]
  }

  /// - Parameter hasImages: whether `<image>` in the user's text is a placeholder.
  init(_ json: JSON, place: String, hasImages: Bool) throws {
    guard let object = json.object else { throw RowError("\(place) is not an object") }
    self.place = place
    let draft = RowReader(row: object, place: place)
    let name: String
    let isShareGPT = draft.has("from") && !draft.has("role")
    if isShareGPT {
      let speaker = try draft.optionalString("from") ?? ""
      guard let known = Self.speakers[speaker] else {
        throw RowError("\(place) is from \"\(speaker.printable)\" (known are human, gpt, system, tool)")
      }
      name = known
    } else {
      guard let role = try draft.optionalString("role") else {
        throw RowError("\(place) has no \"role\" that is a string")
      }
      name = role
    }
    role = Message.Role(rawValue: name)
    let content = draft.optional(isShareGPT ? "value" : "content")
    text = content?.string
    switch content {
    case .string(let text):
      // Without images, a placeholder is just text.
      parts =
        role == .user && hasImages ? RowPart.split(text, keepingLineFeeds: false) : [.text(text, nil)]
    case .array(let list):
      guard !list.isEmpty else { throw RowError("\(place) has an empty list as its \"content\"") }
      parts = try list.map { try RowPart($0, place) }
    case nil where draft.has("tool_calls"): parts = []
    default:
      throw RowError(
        "\(place) has no \"\(isShareGPT ? "value" : "content")\" that is a string or a list of parts, nor tool calls")
    }
    let learned = try draft.isLearned()
    if let learned, learned.value, role != .assistant, learned.key != "weight" {
      throw RowError(
        "\(place) is the \(name.printable)'s and has \"\(learned.key)\": only the assistant's messages are trained")
    }
    isLearned = learned?.value ?? true
    try draft.refuse(
      ["train_detail", "training_detail", "loss_scale"],
      "which marks parts of it as trained: that is not supported")
    let head = [JSON.Member("role", .string(name))] + (content.map { [.init("content", $0)] } ?? [])
    members =
      isShareGPT
      ? head + object.filter { !["from", "value"].contains($0.key) } : object
  }

  private static let speakers = [
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system", "tool": "tool",
  ]

  func message(_ parts: [Message.Part]) throws -> Message {
    if role != .user, !parts.images.isEmpty {
      throw RowError("\(place) is the \(role.rawValue.printable)'s and has an image: only the user's messages can")
    }
    // Placeholders in a text have become parts.
    let content =
      text.map { parts.images.isEmpty ? .string($0) : Message.json(parts) } ?? .array(self.parts.map(\.json))
    return Message(
      role, parts,
      members: members.map { $0.key == "content" && !self.parts.isEmpty ? .init("content", content) : $0 },
      isLearned ? .byRole : .never)
  }
}
