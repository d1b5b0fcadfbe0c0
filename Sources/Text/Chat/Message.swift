/// One turn of a conversation.
public struct Message: Equatable, Sendable {
  public enum Role: String, Sendable, CaseIterable { case system, user, assistant }

  public let role: Role
  public let content: String

  public init(_ role: Role, _ content: String) {
    self.role = role
    self.content = content
  }
}
