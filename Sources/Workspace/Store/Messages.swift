/// Receives what a user should read besides the result.
package struct Messages: Sendable {
  /// The result may not be the one intended.
  package let warning: @Sendable (_ text: String) -> Void
  /// Worth knowing, and no reason to doubt the result.
  package let note: @Sendable (_ text: String) -> Void

  package init(
    warning: @escaping @Sendable (_ text: String) -> Void = { _ in },
    note: @escaping @Sendable (_ text: String) -> Void = { _ in }
  ) {
    self.warning = warning
    self.note = note
  }
}
