import Base

/// A conversation with everything that a chat template may use.
package struct Conversation: Equatable, Sendable {
  package var messages: [Message]
  /// Descriptions of the functions that the model may call.
  package var tools: JSON?
  /// Documents for retrieval-augmented answers.
  package var documents: JSON?
  /// Additional template variables of the row ("chat_template_kwargs").
  package var arguments: [JSON.Member]

  package init(
    _ messages: [Message], tools: JSON? = nil, documents: JSON? = nil, arguments: [JSON.Member] = []
  ) {
    self.messages = messages
    self.tools = tools
    self.documents = documents
    self.arguments = arguments
  }

  /// The first `count` messages.
  func prefix(_ count: Int) -> Conversation {
    var prefix = self
    prefix.messages = Array(messages.prefix(count))
    return prefix
  }

  package var images: [String] { messages.flatMap(\.images) }
}

extension Message {
  /// The form of message content that a template expects.
  enum Form: Equatable, Sendable {
    /// As in the row: a text, or a list of parts.
    case asGiven
    /// A list of parts: the template handles nothing else.
    case parts
    /// One text with placeholders for images: the template does not handle parts.
    case marks(String)
  }

  /// The value given to a template, as in transformers: without null members, and with reasoning under each of the
  /// names that templates use for it.
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
