import Base

/// One turn of a conversation.
package struct Message: Equatable, Sendable {
  /// Role of the speaker. The chat template defines which roles exist.
  package struct Role: RawRepresentable, Hashable, Sendable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let system = Role(rawValue: "system")
    package static let user = Role(rawValue: "user")
    package static let assistant = Role(rawValue: "assistant")
    package static let tool = Role(rawValue: "tool")
  }

  /// Text or an image.
  package enum Part: Equatable, Sendable {
    case text(String)
    /// A file, as named by the row or the caller.
    case image(path: String)
  }

  package let role: Role
  package let parts: [Part]
  /// All members of the message for the template ("role", "content", "tool_calls", …), in the order of the row.
  let members: [JSON.Member]
  let learning: Learning

  /// Whether a message counts in the loss.
  enum Learning: Sendable {
    /// An answer does; another message only if prompts do.
    case byRole
    /// Only if prompts do, whatever its role.
    case asPrompt
    /// Never, according to the row.
    case never
  }

  package init(_ role: Role, _ content: String) { self.init(role, [.text(content)]) }

  package init(_ role: Role, _ parts: [Part]) {
    self.init(role, parts, members: [.init("role", .string(role.rawValue)), .init("content", Self.json(parts))])
  }

  init(_ role: Role, _ parts: [Part], members: [JSON.Member], _ learning: Learning = .byRole) {
    self.role = role
    self.parts = parts
    self.members = members
    self.learning = learning
  }

  /// The same message with other parts.
  package func with(_ parts: [Part]) -> Message {
    let members = members.map { $0.key == "content" ? .init("content", Self.json(parts)) : $0 }
    return Message(role, parts, members: members, learning)
  }

  /// The texts, concatenated.
  package var content: String { parts.text }

  /// Paths of the images, in order.
  package var images: [String] { parts.images }

  /// A single text is a string, anything else a list of parts.
  static func json(_ parts: [Part]) -> JSON {
    if parts.count == 1, case .text(let text) = parts[0] { return .string(text) }
    return .array(parts.map(\.json))
  }
}

extension Message.Part {
  var json: JSON {
    switch self {
    case .text(let text): .dictionary(["type": .string("text"), "text": .string(text)])
    // Templates do not use the file's name.
    case .image: .dictionary(["type": .string("image")])
    }
  }
}

extension [Message.Part] {
  /// The texts, concatenated.
  package var text: String {
    map { if case .text(let text) = $0 { text } else { "" } }.joined()
  }

  /// The paths of the images, in order.
  package var images: [String] {
    compactMap { if case .image(let path) = $0 { path } else { nil } }
  }
}
