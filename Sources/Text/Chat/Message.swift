/// One turn of a conversation.
public struct Message: Equatable, Sendable {
  public enum Role: String, Sendable, CaseIterable { case system, user, assistant }

  /// A piece of what is said or shown.
  public enum Part: Equatable, Sendable {
    case text(String)
    /// A file, as the row or the caller names it.
    case image(path: String)
  }

  public let role: Role
  public let parts: [Part]

  public init(_ role: Role, _ content: String) { self.init(role, [.text(content)]) }

  public init(_ role: Role, _ parts: [Part]) {
    self.role = role
    self.parts = parts
  }

  /// What is said: the texts, one behind the other.
  public var content: String { parts.text }

  /// What is shown: paths, in order.
  public var images: [String] { parts.images }
}

extension [Message.Part] {
  /// The texts, one behind the other.
  public var text: String {
    map { if case .text(let text) = $0 { text } else { "" } }.joined()
  }

  /// The paths of the images, in order.
  public var images: [String] {
    compactMap { if case .image(let path) = $0 { path } else { nil } }
  }
}
