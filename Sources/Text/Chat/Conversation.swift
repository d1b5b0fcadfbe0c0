import Base

/// A conversation, with all that a chat template may be told of it.
package struct Conversation: Equatable, Sendable {
  package var messages: [Message]
  /// Descriptions of the functions that the model may call.
  package var tools: JSON?
  /// Texts to answer from.
  package var documents: JSON?
  /// What the row gives the template besides ("chat_template_kwargs").
  package var arguments: [JSON.Member]

  package init(
    _ messages: [Message], tools: JSON? = nil, documents: JSON? = nil, arguments: [JSON.Member] = []
  ) {
    self.messages = messages
    self.tools = tools
    self.documents = documents
    self.arguments = arguments
  }

  /// The first so many messages.
  func prefix(_ count: Int) -> Conversation {
    var prefix = self
    prefix.messages = Array(messages.prefix(count))
    return prefix
  }

  package var images: [String] { messages.flatMap(\.images) }
}

extension Message {
  /// How a template takes what a message says.
  enum Form: Equatable, Sendable {
    /// As the row has it: a text, or a list of parts.
    case asGiven
    /// As a list of parts: the template looks at nothing else.
    case parts
    /// Parts as one text, images as marks in it: the template knows of no parts.
    case marks(String)
  }

  /// What a template is given, as transformers gives it: no member that is null, and what was thought before the answer
  /// under each of the names that templates have for it.
  func json(_ form: Form) -> JSON {
    var members = members.filter { $0.value != .null }.map { member in
      member.key == "content" ? JSON.Member(member.key, content(member.value, form)) : member
    }
    let thought = Self.thoughts.lazy.compactMap { key in members.first { $0.key == key }?.value }.first
    if let thought {
      let own = members.first { $0.key == "thinking" }?.value ?? thought
      members.removeAll { $0.key == "thinking" }
      members.insert(.init("thinking", own), at: 0)
      if let i = members.firstIndex(where: { $0.key == "reasoning_content" }) {
        members[i] = .init("reasoning_content", thought)
      } else {
        members.append(.init("reasoning_content", thought))
      }
    }
    return .object(members)
  }

  static let thoughts = ["reasoning_content", "thinking", "reasoning"]

  private func content(_ json: JSON, _ form: Form) -> JSON {
    switch form {
    case .asGiven: json
    case .parts: json.string == nil ? json : .array(parts.map(\.json))
    case .marks(let mark):
      if images.isEmpty, json.string != nil {
        json
      } else {
        .string(
          parts.map { part in
            switch part {
            case .text(let text): text
            case .image: ImageMark.inMessage(mark)
            }
          }.joined())
      }
    }
  }
}
